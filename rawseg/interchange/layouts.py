"""Names that weights had elsewhere, or earlier, and the names that rawseg's networks have for them.

rawseg's names are torchvision's of today. Files from before 2022 have the names of then, and training scripts wrap networks,
which puts a word before every name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

__all__ = ["IGNORED", "current_names", "without_prefix"]

# torch.nn.DataParallel and DistributedDataParallel; torch.compile
WRAPPERS = ("module.", "_orig_mod.")
# torchvision put each of these convolutions into a Sequential, some of them into two.
EARLIER = (
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)"), r"\1.0.0.\2"),
    (re.compile(r"((?:.+\.)?(?:inner_blocks|layer_blocks)\.\d+)\.(weight|bias)"), r"\1.0.\2"),
    (re.compile(r"(roi_heads\.mask_head)\.mask_fcn([1-9]\d*)\.(weight|bias)"), lambda m: f"{m[1]}.{int(m[2]) - 1}.0.{m[3]}"),
)
# What a network may lack without being another: counts that only matter where training of the norms goes on, and a classifier
# that torchvision's DeepLabV3 has for training alone.
IGNORED = re.compile(r"(?:.+\.)?num_batches_tracked|aux_classifier\..+")


def without_prefix(names: Iterable[str]) -> dict[str, str]:
    """Return for every name of a file what it is without the wrappers that all of them have."""
    found = {name: name for name in names}
    while found:
        prefix = next((p for p in WRAPPERS if all(short.startswith(p) and short != p for short in found.values())), None)
        if prefix is None:
            break
        found = {name: short.removeprefix(prefix) for name, short in found.items()}
    return found


def current_names(names: Collection[str], wanted: Collection[str]) -> dict[str, str]:
    """Return the names of a file that were renamed since, and what a network that wants the new ones calls them."""
    found = {}
    for name in names:
        for pattern, replacement in EARLIER:
            match = pattern.fullmatch(name) if name not in wanted else None
            if match:
                today = replacement(match) if callable(replacement) else match.expand(replacement)
                if today in wanted and today not in names:
                    found[name] = today
    return found
