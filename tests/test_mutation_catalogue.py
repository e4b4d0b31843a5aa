"""The catalogue of planted faults fits the sources as they are: cheap to ask here, long before the release tier plants them."""

from __future__ import annotations

import ast
import shlex
from pathlib import Path

import pytest
from release.mutations import MUTATIONS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("file", sorted({mutation.file for mutation in MUTATIONS}))
def test_every_fault_can_be_planted(file):
    for mutation in MUTATIONS:
        if mutation.file == file:
            assert mutation.old != mutation.new
            faulty = mutation.applied(ROOT)
            if file.endswith(".py"):  # CUDA source is compiled where it is planted
                ast.parse(faulty)


def test_the_tests_that_must_find_them_exist():
    files = {word for mutation in MUTATIONS for word in shlex.split(mutation.tests) if word.endswith(".py")}
    assert not [file for file in sorted(files) if not (ROOT / "tests" / file).is_file()]


def test_no_two_faults_have_one_name():
    names = [mutation.name for mutation in MUTATIONS]
    assert len(set(names)) == len(names)


def test_there_are_faults_of_every_family():
    families = {mutation.family for mutation in MUTATIONS}
    assert families >= FAMILIES
    assert len(MUTATIONS) >= 100
    assert sum(mutation.file.endswith(".cu") for mutation in MUTATIONS) >= 15


FAMILIES = {
    "height for width",
    "wrong comparison",
    "NaN rule",
    "off by one",
    "floor for ceil",
    "count",
    "= for +=",
    "flip or transposition",
    "group offset",
    "half pixel",
    "biased for unbiased",
    "wrong tie",
    "wrong axis",
    "wrong sign",
    "missing check",
    "missing step",
    "wrong formula",
    "wrong order",
    "shared memory",
}
