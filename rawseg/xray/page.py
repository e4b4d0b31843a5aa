"""The page on which a dump can be read: stage by stage, with its pictures inside, without scripts and without a network."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_bytes_atomically
from ..models.mask_rcnn import STAGES, MaskRCNN, Stage
from .drawings import Picture, class_name
from .dump import load, parts_of
from .fates import Candidates, candidates_of_detections, candidates_of_proposals, counts, suppressed

__all__ = ["write_page"]

Arrays = Mapping[str, np.ndarray]
MOST = 50  # suppressed boxes in a table
SENTENCES = {
    "transform": "The image is normalised, resized and padded, so that its sides are multiples of 32.",
    "backbone": "A convolutional network turns the batch into feature maps; a pyramid has one for each size of object.",
    "anchors": "Boxes of a few sizes and shapes are laid around every pixel of every map.",
    "rpn head": "For each anchor: a logit, whether there is an object, and four codes, where it would lie.",
    "proposals": "The likeliest anchors are moved by their codes and clipped; of boxes that overlap the best is kept.",
    "box pooling": "Each proposal is cut out of the map that fits its size, without rounding a coordinate if by RoIAlign.",
    "box head": "For each region: a logit for every class, and four codes for every class.",
    "detections": "Every region is scored and moved as every class, and clipped; of boxes that overlap the best is kept.",
    "mask pooling": "The detections' boxes are cut out of the maps once more, with more cells.",
    "mask head": "For each detection: a small map of logits for every class.",
    "mask choice": "Of these maps the detected class's own is taken, as probabilities.",
    "pasting": "Boxes go back to the image's own pixels, and each mask is stretched over its box.",
}
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#333;max-width:1100px;margin:2em auto;padding:0 1em}"
    "img{max-width:100%;border:1px solid #e4e4e4}figure{margin:1em 0}figcaption{color:#555}"
    "table{border-collapse:collapse;margin:1em 0;font-size:13px;font-variant-numeric:tabular-nums}"
    "th,td{padding:2px 10px;text-align:left;border-bottom:1px solid #e4e4e4}"
    "h2{margin-top:2em;border-bottom:2px solid #0072b2}caption{text-align:left;font-weight:600}nav a{margin-right:1em}"
)


def write_page(
    folder: str | os.PathLike[str], model: MaskRCNN, pictures: Sequence[Picture], class_names: Sequence[str] | None = None
) -> None:
    """Write ``index.html`` beside a dump.

    Parameters
    ----------
    folder : str or path
        With ``stages.safetensors`` and the pictures' files; the page is replaced in one step.
    model : MaskRCNN
        That made the dump.
    pictures : sequence of Picture
        What `draw_all` drew; each is put into the page.
    class_names : sequence of str, optional
        Of the classes from 0, the background, on.

    Raises
    ------
    CheckpointError, DataError
        If the dump is missing or damaged, or the page cannot be written.
    """
    arrays, about = load(folder)
    parts = [_head(about), _contents()]
    for number, stage in enumerate(STAGES, 1):
        parts += [f'<h2 id="stage{number}">{number}. {_text(stage.name)}</h2>', f"<p>{_text(SENTENCES[stage.name])}</p>"]
        parts += [_figure(Path(folder), picture) for picture in pictures if picture.stage == stage.name]
        parts.append(_values(stage, arrays))
        if stage.name == "proposals":
            parts += _deaths(candidates_of_proposals(model, arrays), "anchor")
        if stage.name == "detections":
            names = [class_name(k, class_names) for k in range(model.config["classes"])]
            parts.append(_detections(arrays, names))
            parts += _deaths(candidates_of_detections(model, arrays), "region", names)
    page = "\n".join(["<!DOCTYPE html>", '<html lang="en">', *parts, "</body>", "</html>", ""])
    write_bytes_atomically(Path(folder) / "index.html", page.encode())


def _head(about: Mapping[str, Any]) -> str:
    height, width = about["image_size"]
    options = [(name, str(value)) for name, value in about["config"].items()]
    rows = [("model", about["model"]), ("image", f"{height} x {width}"), ("weights", about["weights"]), *options]
    title = f"X-ray of {about['model']} on an image of {height} x {width}"
    return (
        f'<head><meta charset="utf-8"><title>{_text(title)}</title><style>{STYLE}</style></head>\n<body>\n'
        f"<h1>{_text(title)}</h1>\n"
        "<p>Boxes are (x1, y1, x2, y2), in pixels of the batch up to the last stage. All arrays are in stages.safetensors; any "
        "stage can be run again from them (rawseg.xray.replay).</p>\n"
        f"<details><summary>What was run</summary>{_table('', ('what', 'which'), rows)}</details>"
    )


def _contents() -> str:
    links = (f'<a href="#stage{number}">{number}. {_text(stage.name)}</a>' for number, stage in enumerate(STAGES, 1))
    return f"<nav>{' '.join(links)}</nav>"


def _figure(folder: Path, picture: Picture) -> str:
    data = base64.b64encode((folder / picture.file).read_bytes()).decode()
    caption = _text(picture.caption)
    source = f"data:image/png;base64,{data}"
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption} ({_text(picture.file)})</figcaption></figure>'


def _values(stage: Stage, arrays: Arrays) -> str:
    """Return the table of what a stage gives."""
    names = [name for value in stage.gives for name in parts_of(value, arrays)]
    rows = [(name, arrays[name].dtype.name, " x ".join(map(str, arrays[name].shape)), *_extent(arrays[name])) for name in names]
    reads = f"gives (it reads {', '.join(stage.reads)})"
    return _table(reads, ("array", "dtype", "shape", "smallest", "mean", "largest"), rows)


def _extent(array: np.ndarray) -> tuple[str, str, str]:
    if array.size == 0:
        return "", "", ""
    with np.errstate(invalid="ignore"):  # both infinities have no mean
        return f"{array.min():.5g}", f"{array.mean(dtype=np.float64):.5g}", f"{array.max():.5g}"


def _detections(arrays: Arrays, names: Sequence[str]) -> str:
    found = zip(*(arrays[f"{name}.0"] for name in ("labels", "scores", "boxes", "regions")), arrays["results.boxes"])
    rows = [
        (i + 1, names[label], f"{score:.4f}", _corners(box), _corners(own), int(region))
        for i, (label, score, box, region, own) in enumerate(found)
    ]
    return _table("detections", ("", "class", "score", "box in the batch", "box in the image", "region"), rows)


def _deaths(candidates: Candidates, what: str, names: Sequence[str] | None = None) -> list[str]:
    """Return the table of fates, and that of the best suppressed boxes; with names, a region has one of each class."""
    dead, (boxes, ranks, groups, fates, overlap) = suppressed(candidates), candidates

    def told(i: Any) -> str:
        return f"{i} of level {groups[i]}" if names is None else f"{i // (len(names) - 1)} as {names[int(groups[i])]}"

    rows = [
        (told(i), f"{ranks[i]:.5g}", _corners(boxes[i]), told(j), f"{ranks[j]:.5g}", f"{iou:.4f}")
        for i, j, iou in zip(dead.indices[:MOST], dead.by[:MOST], dead.overlaps[:MOST])
    ]
    caption = f"{what}s suppressed, by overlap above {overlap:g}: the best {len(rows)} of {len(dead.indices):,}"
    fate_table = _table(f"fates of all {what}s", ("fate", "boxes"), list(counts(fates).items()))
    return [fate_table, _table(caption, (what, "rank", "box", "by", "its rank", "IoU"), rows)]


def _corners(box: np.ndarray) -> str:
    return ", ".join(f"{number:.1f}" for number in box)


def _table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table; text is escaped, numbers stand on the left."""
    lines = [f"<tr>{''.join(_cell(value, 'td') for value in row)}</tr>" for row in rows]
    head = "".join(_cell(heading, "th") for heading in headings)
    return "\n".join([f"<table><caption>{_text(caption)}</caption>", f"<tr>{head}</tr>", *lines, "</table>"])


def _cell(value: Any, tag: str) -> str:
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return f"<{tag}>{_text(text)}</{tag}>"


def _text(text: Any) -> str:
    return html.escape(str(text))
