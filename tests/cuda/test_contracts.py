"""Operations on device arrays held to their contracts: values, derivatives, edges and refusals, on drawn cases."""

from __future__ import annotations

import pytest

from rawseg.testing import check
from rawseg.testing.contracts import contracts

QUICK = ("relu", "max_pool2d", "cross_entropy", "nms")
CHECKS = ("values", "gradients", "second order", "edges", "bad input")
NAMES = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.release]) for name in contracts()]


@pytest.mark.parametrize("name", NAMES)
def test_an_operation_on_the_device_keeps_its_contract(cupy, name):
    report = check(name, device="cuda", examples=2 if name in QUICK else 8, only=CHECKS)
    assert report.passed, report
