"""One kernel for one dtype, and the checks of a launch: a wrong argument would be read as bytes of another type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arrays import device_of
from . import emulator, gpu

if TYPE_CHECKING:
    from .source import Source

BLOCK = 256  # threads of a block where nothing asks for another number
MOST_BLOCKS = 65_536  # of a grid of one axis: the threads of larger ones take several elements each
MOST_THREADS, MOST_SHARED, MOST_ACROSS = 1024, 227 * 1024, 65_535  # of a block; bytes; blocks along the second and third axis

Size = tuple[int, ...]


class Kernel:
    """A kernel of a `Source`.

    Parameters
    ----------
    source : Source
        Its file.
    name : str
        Its name in the file.
    dtype : dtype
        What ``real`` is.
    defines : tuple of (str, int)
        Constants that the file is compiled with.
    """

    def __init__(self, source: Source, name: str, dtype: np.dtype, defines: tuple[tuple[str, int], ...]) -> None:
        self.source, self.name, self.dtype, self.defines = source, name, dtype, defines
        self.parameters = source.signatures[name]

    def __call__(self, count: int, *arguments: Any) -> None:
        """Run one thread for each of ``count`` elements."""
        blocks = min(-(-count // BLOCK), MOST_BLOCKS)
        self.launch((blocks,), (BLOCK,), *arguments)

    def launch(self, grid: Size, block: Size, *arguments: Any, shared: int = 0) -> None:
        """Run a grid of blocks; nothing, if it has none.

        Parameters
        ----------
        grid, block : tuple of int
            Up to three sizes each: blocks of the grid, threads of a block.
        *arguments
            Arrays, None for an array that is not there, and numbers, which are cast to what the kernel takes.
        shared : int
            Bytes of shared memory that the launch decides on.

        Raises
        ------
        TypeError, ValueError
            If an argument is not what the kernel takes: a mistake of the caller within this package.
        """
        grid, block = tuple(map(int, grid)), tuple(map(int, block))
        if 0 in grid:
            return
        given = self._checked(arguments)
        self._check_sizes(grid, block, shared)
        first = next(a for a in arguments if device_of(a))
        (emulator if isinstance(first, np.ndarray) else gpu).run(self, grid, block, given, shared)

    def _checked(self, arguments: Sequence[Any]) -> list[Any]:
        if len(arguments) != len(self.parameters):
            raise TypeError(f"{self.name}: expected {len(self.parameters)} arguments, got {len(arguments)}")
        devices = {device_of(a) for a in arguments if device_of(a)}
        if len(devices) != 1:
            raise TypeError(f"{self.name}: expected arrays on one device, got {sorted(devices) or 'no array'}")
        return [self._cast(parameter, argument) for parameter, argument in zip(self.parameters, arguments)]

    def _cast(self, parameter: Any, argument: Any) -> Any:
        """Return an array as it is, if it is what the kernel takes, or a number in the type that it takes."""
        dtype, what = parameter.dtype(self.dtype), f"{self.name}: {parameter.name}"
        if parameter.is_array:
            if argument is None:
                return None
            if not device_of(argument):
                raise TypeError(f"{what}: expected an array, got {type(argument).__name__}")
            if argument.dtype != dtype or not argument.flags.c_contiguous:
                got = f"{argument.dtype}{'' if argument.flags.c_contiguous else ', with strides'}"
                raise TypeError(f"{what}: expected a C-contiguous array of {dtype}, got {got}")
            return argument
        if device_of(argument):
            raise TypeError(f"{what}: expected a number, got an array")
        if dtype.kind == "i":
            if not isinstance(argument, (int, np.integer)):
                raise TypeError(f"{what}: expected an integer, got {argument!r}")
            if not np.iinfo(dtype).min <= argument <= np.iinfo(dtype).max:
                raise ValueError(f"{what}: expected a number of {dtype}, got {argument}")
        return dtype.type(argument)

    def _check_sizes(self, grid: Size, block: Size, shared: int) -> None:
        if int(np.prod(block)) > MOST_THREADS or shared > MOST_SHARED or max(grid[1:], default=0) > MOST_ACROSS:
            raise ValueError(f"{self.name}: no GPU has a grid of {grid} blocks of {block} threads with {shared} bytes")

    def shapes(self, given: Sequence[Any]) -> str:
        """Return the arguments of a launch, for messages."""
        parts = [f"{list(a.shape)}" if isinstance(getattr(a, "shape", None), tuple) and a.shape else str(a) for a in given]
        return ", ".join(f"{p.name}={part}" for p, part in zip(self.parameters, parts))
