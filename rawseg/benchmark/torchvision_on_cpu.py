"""torchvision with its compiled operations beside a PyTorch without CUDA.

The wheel of the package registries is built for CUDA: its library asks for sixteen symbols of PyTorch's CUDA libraries, and
where these are missing its operations (nms, roi_align) are missing too, without a word. Stubs with those symbols, which nobody
ever calls on a CPU, let the library load. PyTorch built for CUDA needs none of this.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import warnings
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import BackendError

__all__ = ["torchvision"]

OURS = ("_ZN2at4cuda", "_ZN3c104cuda", "_ZNK3c104cuda")  # mangled at::cuda and c10::cuda


@cache
def torchvision() -> Any:
    """Return the module, its compiled operations loaded.

    Raises
    ------
    BackendError
        If it is not installed, or gcc and nm, which make the stubs, are not.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        raise BackendError("bench", "torchvision", "pip install torchvision==0.28.0 (with torch==2.13.0)", "no such package")
    import torch

    if not torch.backends.cuda.is_built():
        _load_stubs(Path(spec.origin).parent / "_C.so")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its image library, which nothing here uses, does not load without libjpeg
        import torchvision as module
        import torchvision.models.detection
    if not module.extension._has_ops():
        raise BackendError("bench", "torchvision", "compiled operations that load", "a library that does not")
    return module


def _load_stubs(library: Path) -> None:
    """Compile and load the two CUDA libraries that ``library`` asks for, with nothing but the symbols in them."""
    try:
        table = subprocess.run(["nm", "-D", "--undefined-only", library], capture_output=True, text=True, check=True).stdout
        names = sorted({line.split()[-1] for line in table.splitlines() if line.split()[-1].startswith(OURS)})
        source = "\n".join(f"void *{name}[4];" for name in names)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("libtorch_cuda.so", ""), ("libc10_cuda.so", source)):
                path = Path(folder) / name
                command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-x", "c", "-", "-o", str(path)]
                subprocess.run(command, input=text, text=True, capture_output=True, check=True)
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise BackendError("bench", "torchvision", "gcc and nm, which make what it lacks beside a CPU build", error) from error
