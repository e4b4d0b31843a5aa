"""Options that several commands share, so that one name always means one thing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder for everything that is written.")]
Weights = Annotated[Path, typer.Option("--weights", "-w", help="Weights that `rawseg train` or `demo` wrote (.safetensors).")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; the count never changes a result.", min=1)]
Seed = Annotated[int, typer.Option(help="Everything random follows from it.", min=0)]
Device = Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")]
TILE = 512  # pixels of a side
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Leave out annotations of a COCO file that are not valid, and say which.")
]
Tile = Annotated[
    int | None, typer.Option(help="Side of a tile in pixels, 512 unless given: memory and time, never the result.", min=16)
]
Plain = Annotated[bool, typer.Option("--plain", help="Lines instead of a live progress bar.")]
Classes = Annotated[int, typer.Option(help="Number of classes, the background among them.", min=2)]
Width = Annotated[int | None, typer.Option(help="Channels of the first level.", min=1, max=4096)]
Depth = Annotated[int | None, typer.Option(help="Number of poolings.", min=1, max=10)]
ModelOptions = Annotated[
    list[str] | None, typer.Option("--option", "-O", help="An option of the model, name=value; may be repeated.")
]
Pretrained = Annotated[
    str | None,
    typer.Option(
        help="Weights to begin with, of the --encoder or of a mask_rcnn's backbone: a file, FILE:ENTRY, or a package."
    ),
]
Up = Annotated[str | None, typer.Option(help="transposed or bilinear.")]


def make_folder(path: Path) -> Path:
    """Make the output folder now, so that an unwritable one is told before any work is done."""
    from ..errors import DataError

    try:
        path.mkdir(parents=True, exist_ok=True)
        writable = os.access(path, os.W_OK)
    except OSError as error:
        raise DataError("output", str(path), "a folder that can be made", error.strerror or error) from error
    if not writable:
        raise DataError("output", str(path), "a folder that can be written to", "one without permission")
    return path


def load_network(weights: Path, device: str) -> Any:
    """Load a network that labels pixels or finds objects; ArgumentError if the weights are those of another."""
    from ..errors import ArgumentError
    from ..models import MaskRCNN, Segmenter, load_model

    model = load_model(weights, device)
    if not isinstance(model, (Segmenter, MaskRCNN)):
        raise ArgumentError("load", "--weights", "those of a network for segmentation", f"those of {model.name}")
    return model


def refuse_given(command: str, reason: str, given: dict[str, Any]) -> None:
    """Refuse options that would be left out without a word: those that are not None, nor False."""
    from ..errors import ArgumentError

    for name, value in given.items():
        if value is not None and value is not False:
            raise ArgumentError(command, name, reason, value)


def use_threads(threads: int | None) -> None:
    """Apply ``--threads``."""
    from rawseg_kernels._threads import set_num_threads

    if threads is not None:
        set_num_threads(threads)


def model_options(command: str, name: str, named: dict[str, Any], given: list[str] | None) -> dict[str, Any]:
    """Return a model's options: those that have an option of their own, without None, and those of ``--option name=value``.

    A value is read as the type of the option's default; what is given twice is refused.
    """
    from ..errors import ArgumentError
    from ..models import options_of

    known, found = options_of(name), {option: value for option, value in named.items() if value is not None}
    for text in given or ():
        option, equals, value = text.partition("=")
        if not equals or option not in known:
            raise ArgumentError(command, "--option", f"name=value, with a name of {sorted(known)}", repr(text))
        if option in found:
            raise ArgumentError(command, "--option", "each option once", f"{text!r}, but {option} is {found[option]} already")
        found[option] = _read_as(command, option, value, known[option])
    return found


def _read_as(command: str, option: str, text: str, default: Any) -> Any:
    from ..errors import ArgumentError

    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, (int, float)):
            return type(default)(text)
        if isinstance(default, (tuple, list)):
            return tuple(int(part) for part in text.split(","))
    except (KeyError, ValueError):
        kind = {"bool": "true or false", "int": "a whole number", "float": "a number"}.get(type(default).__name__)
        raise ArgumentError(command, f"--option {option}", kind or "whole numbers with commas between", repr(text)) from None
    return text
