"""The arrays of an operation on their way into an .npz, and how JSON refers to them."""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import numpy as np

from ...errors import DataError

Entry = dict[str, Any]
EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip file: equal arrays are equal bytes, whenever they are written


class Shelf:
    """Arrays by name.

    Examples
    --------
    >>> shelf = Shelf()
    >>> shelf.put("0.input", np.zeros((2, 3), np.float32))
    {'dtype': 'float32', 'shape': [2, 3], 'npz': '0.input'}
    >>> shelf.plain("0.value", (1, -math.inf))
    [1, {'npz': '0.value.1'}]
    """

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, name: str, array: np.ndarray) -> Entry:
        """Keep an array, and return what refers to it."""
        if array.dtype.hasobject or name in self.arrays:
            raise DataError("golden", name, "an array of numbers under a name of its own", array.dtype)
        self.arrays[name] = array
        return {"dtype": array.dtype.name, "shape": list(array.shape), "npz": name}

    def plain(self, name: str, option: Any) -> Any:
        """Return an option as JSON has it; arrays, and numbers that are not finite, are kept here."""
        if isinstance(option, (list, tuple)):
            return [self.plain(f"{name}.{position}", one) for position, one in enumerate(option)]
        if isinstance(option, np.ndarray) or (isinstance(option, float) and not math.isfinite(option)):
            return {"npz": self.put(name, np.asarray(option))["npz"]}
        if option is None or isinstance(option, (bool, int, float, str)):
            return option
        if isinstance(option, np.generic):
            return self.plain(name, option.item())
        raise DataError("golden", name, "a number, a word, an array, or several of them", repr(option))

    def packed(self) -> bytes:
        """Return what `numpy.savez_compressed` would write, without the time of day."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in self.arrays.items():
                member, info = io.BytesIO(), zipfile.ZipInfo(f"{name}.npy", EPOCH)
                little = np.asarray(array, array.dtype.newbyteorder("<"), order="C")
                np.lib.format.write_array(member, little, allow_pickle=False)
                archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED)
        return file.getvalue()
