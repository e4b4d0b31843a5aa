"""Operations on device arrays held to their contracts: values, derivatives, edges and refusals, on drawn cases."""

from __future__ import annotations

import pytest

from rawseg.testing import check
from rawseg.testing.contracts import contracts

CHECKS = ("values", "gradients", "second order", "edges", "bad input")
EXAMPLES = [pytest.param(1, marks=pytest.mark.gate), pytest.param(8, marks=pytest.mark.release)]


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("name", contracts())
def test_an_operation_on_the_device_keeps_its_contract(cupy, name, examples):
    report = check(name, device="cuda", examples=examples, only=CHECKS)
    assert report.passed, report
