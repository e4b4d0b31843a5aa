"""What stands on the other side of a pass."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from rawseg.benchmark.planes import compiled_operations, roi_align_passes
from rawseg.errors import BackendError


def missing():
    raise BackendError("bench", "torchvision", "to be there", "none")


def test_the_compiled_operations_of_torchvision_are_used_where_there_are_some(monkeypatch):
    monkeypatch.setattr("rawseg.benchmark.planes.torchvision", lambda: None)
    assert compiled_operations() is torch.ops.torchvision


def test_without_torchvision_regions_are_timed_alone(monkeypatch):
    monkeypatch.setattr("rawseg.benchmark.planes.torchvision", missing)
    assert compiled_operations() is None
    assert [one.theirs for one in roi_align_passes((1, 2, 8, 8), 3, 2)] == [None, None]


def test_regions_beside_compiled_operations_get_the_same_arguments(monkeypatch):
    seen = []
    operations = SimpleNamespace(
        roi_align=lambda *arguments: seen.append(arguments), _roi_align_backward=lambda *arguments: seen.append(arguments)
    )
    monkeypatch.setattr("rawseg.benchmark.planes.compiled_operations", lambda: operations)
    forward, backward = roi_align_passes((1, 2, 8, 8), 3, 2, 4, 0.5)
    for one, shape in ((forward, (1, 2, 8, 8)), (backward, (3, 2, 2, 2))):
        assert one.theirs is not None
        one.theirs(torch.zeros(shape))()
    assert [arguments[2:] for arguments in seen] == [(0.5, 2, 2, 4, True), (0.5, 2, 2, 1, 2, 8, 8, 4, True)]
    rois = seen[0][1].numpy()
    assert rois.shape == (3, 5)
    assert np.all(rois[:, 3:] >= rois[:, 1:3])
