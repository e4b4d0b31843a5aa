"""The demo data: real, found without importing its package, checked, and cut so that nothing held out is seen."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.machinery import ModuleSpec

import numpy as np
import pytest
from PIL import Image

from rawseg.data import Crops, Loader, nuclei, nuclei_split
from rawseg.errors import DataError

# As an attribute of the package, the function hides the module of its name.
module = sys.modules["rawseg.data.nuclei"]


def test_what_it_holds():
    image, instances, mask = nuclei()
    assert image.shape == (1, 512, 512)
    assert instances.shape == mask.shape == (512, 512)
    assert (image.dtype, instances.dtype, mask.dtype) == (np.float32, np.int64, np.int64)
    assert (image.min(), image.max()) == (0, 1)
    assert len(np.unique(instances)) == 126  # 125 nuclei and the background
    np.testing.assert_array_equal(mask, instances > 0)
    assert image[0][mask == 1].mean() > 3 * image[0][mask == 0].mean()  # the outlines lie on the bright nuclei


def test_normalisation_is_by_the_training_part_alone(monkeypatch):
    before = nuclei_split()
    read = module._read

    def brighter_outside(name):
        stored = read(name)
        stored[:, 384:] *= 3
        return stored

    monkeypatch.setattr(module, "_read", brighter_outside)
    after = nuclei_split()
    np.testing.assert_array_equal(after[0].image, before[0].image)
    assert (after[1].image != before[1].image).any()
    counts = read("img2d.tif")[:, :384]
    low, high = np.percentile(counts, (1, 99.8))
    np.testing.assert_array_equal(before[0].image[0], np.clip((counts - low) / (high - low), 0, 1).astype(np.float32))


def test_the_parts_do_not_touch_and_share_no_memory():
    whole = nuclei()
    train, held_out = nuclei_split()
    assert train.image.shape == (1, 512, 384)
    assert held_out.image.shape == (1, 512, 128)
    for name in ("image", "instances", "mask"):
        parts = getattr(train, name), getattr(held_out, name)
        np.testing.assert_array_equal(np.concatenate(parts, axis=-1), getattr(whole, name))
        assert all(part.base is None for part in parts)


def test_it_feeds_a_loader():
    train, _ = nuclei_split()
    images, masks = next(iter(Loader(Crops(train.image, train.mask, 96, 8), 4)))
    assert images.shape == (4, 1, 96, 96)
    assert masks.shape == (4, 96, 96)
    assert 0 < masks.mean() < 1


def test_reading_takes_less_than_0_3_seconds_of_processor_time():
    nuclei()
    start = time.process_time()
    nuclei()
    assert time.process_time() - start < 0.3


def test_it_imports_neither_the_package_nor_anything_heavy():
    code = """
import sys
import rawseg
before = set(sys.modules)
import rawseg.data, rawseg.metrics
rawseg.data.nuclei()
heavy = {"stardist", "scipy", "numba", "cupy", "torch", "skimage", "matplotlib"}
print(sorted({name.partition(".")[0] for name in set(sys.modules) - before} & heavy))
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    message = r"nuclei: data: expected the package stardist: pip install 'rawseg\[demo\]', got no such package"
    with pytest.raises(DataError, match=message):
        nuclei()


def installed_at(monkeypatch, folder):
    spec = ModuleSpec("stardist", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(module, "find_spec", lambda name: spec)


def test_a_package_without_or_with_other_files_is_refused(monkeypatch, tmp_path):
    installed_at(monkeypatch, tmp_path)
    with pytest.raises(DataError, match=r"pip install 'rawseg\[demo\]', got a stardist without img2d\.tif"):
        nuclei()
    (tmp_path / "data" / "images").mkdir(parents=True)
    Image.fromarray(np.zeros((512, 512), np.uint16)).save(tmp_path / "data" / "images" / "img2d.tif")
    with pytest.raises(
        DataError, match=r"img2d\.tif: expected SHA-256 f9ccc1571b92c861\.\.\., the file of stardist 0\.9\.2 .*, got "
    ):
        nuclei()
