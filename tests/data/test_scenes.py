"""Scenes of cut-outs that the tests paint: what counts as a cut-out, whose pixels are whose, and no cut-out in two sets."""

from __future__ import annotations

import importlib
import re
import struct
import zlib
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation, binary_erosion

from rawseg import data
from rawseg.data import CutOut, Loader, Scenes, backgrounds, cut_outs
from rawseg.data.instances import box_of
from rawseg.errors import ArgumentError, DataError, IndexRangeError

module = importlib.import_module("rawseg.data.scenes")  # rawseg.data.scenes is the function

GREY = np.full((3, 64, 64), 64 / 255, np.float32)
COLOURS = {1: (255, 0, 0), 2: (0, 255, 0), 3: (0, 0, 255), 4: (255, 255, 0)}


def stamp(colour=(255, 0, 0), size=(20, 20), margin=0):
    """A rectangle of one colour, width x height, with transparent pixels around it and one transparent corner."""
    width, height = size
    pixels = np.zeros((height + 2 * margin, width + 2 * margin, 4), np.uint8)
    pixels[margin : margin + height, margin : margin + width] = (*colour, 255)
    return Image.fromarray(pixels)


def save(folder, **pictures):
    """Write a PNG file for each picture; ``bird__duck`` becomes bird/duck.png."""
    for name, picture in pictures.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path)
    return folder


# Which files are cut-outs


def test_classes_are_folders_and_cut_outs_are_cropped_to_their_object(tmp_path):
    save(
        tmp_path,
        fish__carp=stamp((1, 2, 3), (30, 12), 5),
        bird__swan=stamp((4, 5, 6), (8, 9), 2),
        bird__deep__duck=stamp((7, 8, 9), (5, 7), 1),
        beside=stamp(margin=3),
    )
    (tmp_path / "bird" / "notes.txt").write_text("no picture")
    objects, names = cut_outs(tmp_path)
    assert names == ["bird", "fish"]
    assert [(o.label, o.name, o.picture.size, o.picture.getpixel((2, 2))) for o in objects] == [
        (1, "duck", (5, 7), (7, 8, 9, 255)),
        (1, "swan", (8, 9), (4, 5, 6, 255)),
        (2, "carp", (30, 12), (1, 2, 3, 255)),
    ]


def test_pictures_without_an_outline_are_passed_over(tmp_path):
    half = stamp(margin=5)
    faint = half.copy()
    faint.putalpha(half.getchannel("A").point(lambda alpha: min(alpha, 127)))
    speck = Image.new("RGBA", (40, 40))
    speck.putpixel((3, 3), (9, 9, 9, 255))
    save(
        tmp_path,
        a__good=half,
        a__opaque=stamp(),
        a__empty=Image.new("RGBA", (30, 30)),
        a__faint=faint,
        a__speck=speck,
        a__colour=half.convert("RGB"),
        a__grey=half.convert("L"),
        a__mask=half.getchannel("A").convert("1"),
        a__palette=half.convert("RGB").quantize(4),
    )
    assert [o.name for o in cut_outs(tmp_path)[0]] == ["good"]


def test_transparency_of_palettes_and_grey_counts(tmp_path):
    palette = Image.new("P", (10, 10), 1)
    palette.putpalette([0, 0, 0, 200, 100, 50])
    palette.paste(0, (0, 0, 10, 4))
    palette.info["transparency"] = 0
    save(tmp_path, a__palette=palette, a__grey=stamp(margin=4).convert("LA"))
    objects, _ = cut_outs(tmp_path)
    assert [(o.name, o.picture.mode, o.picture.size) for o in objects] == [
        ("grey", "RGBA", (20, 20)),
        ("palette", "RGBA", (10, 6)),
    ]
    assert objects[1].picture.getpixel((0, 0)) == (200, 100, 50, 255)


def test_large_cut_outs_are_made_smaller(tmp_path):
    save(tmp_path, a__large=stamp(size=(1024, 300), margin=40))
    assert cut_outs(tmp_path)[0][0].picture.size == (512, 150)


def test_of_tux_paints_stamps_only_photographs_are_taken(tmp_path):
    root = tmp_path / "cartoon" / "mirror"  # a name outside of the stamps means nothing
    for part in ("animals/birds", "animals/fish", "animals/mammals", "food/fruit", "food/vegetables", "plants/flowers"):
        (root / part).mkdir(parents=True)
    picture = stamp(margin=4)
    for name in (
        "fish__carp",
        "fish__carp_mirror",
        "fish__carp_mirror_flip",
        "fish__cartoon__shark",
        "birds__swan",
        "other__x",
    ):
        save(root / "animals", **{name: picture})
    save(root / "plants", flowers__rose=picture)
    save(root / "food", fruit__apple=picture, vegetables__leek=picture, soup=picture)
    objects, names = cut_outs(root)
    assert names == ["animal", "fruit or vegetable", "flower"]
    assert [(o.label, o.name) for o in objects] == [(1, "swan"), (1, "carp"), (2, "apple"), (2, "leek"), (3, "rose")]


def test_a_users_own_folders_may_have_any_names(tmp_path):
    picture = stamp(margin=4)
    save(tmp_path, animals__duck_mirror=picture, mirror__old=picture, cartoon__mouse=picture)
    objects, names = cut_outs(tmp_path)
    assert names == ["animals", "cartoon", "mirror"]
    assert [o.name for o in objects] == ["duck_mirror", "mouse", "old"]


def test_no_folder_and_no_cut_outs_are_told(tmp_path, monkeypatch):
    advice = r"expected Debian's stamps \(apt install tuxpaint-stamps-default\), or a folder with a folder of cut-outs"
    missing = tmp_path / "missing"
    with pytest.raises(DataError, match=rf"cut_outs: folder: {advice} .*, got no folder {missing}"):
        cut_outs(missing)
    monkeypatch.setattr(module, "STAMPS", missing)
    with pytest.raises(DataError, match=rf"got no folder {missing}"):
        cut_outs()
    save(tmp_path, a__opaque=stamp())
    with pytest.raises(DataError, match=rf"cut_outs: {tmp_path}: {advice} .*, got no RGBA PNG file that is partly transparent"):
        cut_outs(tmp_path)


def png_of(width, height):
    """A PNG file that promises so many pixels."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_damaged_files_and_bombs_are_told_by_name(tmp_path):
    path = save(tmp_path, a__good=stamp(margin=3)).joinpath("a", "good.png")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for content in (whole[:60], whole[:-30], bytes(flipped), b"GIF89a", b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"^cut_outs: {re.escape(str(path))}: expected "):
            cut_outs(tmp_path)
    for size in ((10_000, 10_000), (60_000, 60_000)):
        path.write_bytes(png_of(*size))
        with pytest.raises(DataError, match=rf"good.png: expected 1 to 89478485 pixels .*, got {size[0]} x {size[1]}"):
            cut_outs(tmp_path)


# What a scene shows


class Chosen:
    """A generator whose draws are chosen."""

    def __init__(self, *values):
        self.values = list(values)

    def _next(self, *args, **options):
        return self.values.pop(0)

    random = integers = uniform = _next


WHOLE = 0, 64, 0, 0  # the first photograph, all of it


def placed(x, y, kind=0, turned=0.0, mirrored=False, scale=20 / 64):
    """Draws that put the only cut-out of a class at (x, y), 20 pixels large, neither mirrored nor turned."""
    return kind, 0, scale, 0.2 if mirrored else 0.8, turned, x, y


def scene_of(scenes, *objects):
    draws = [*WHOLE, len(objects), *(value for o in objects for value in o)]
    chosen: Any = Chosen(*draws)
    image, target = scenes.sample(5, chosen)
    assert chosen.values == []
    return image, target


def rectangle(x1, y1, x2, y2):
    mask = np.zeros((64, 64), bool)
    mask[y1:y2, x1:x2] = True
    return mask


TWO = [CutOut(1, stamp((255, 0, 0)), "red"), CutOut(2, stamp((0, 255, 0)), "green")]


def test_a_scene_by_hand():
    image, target = scene_of(Scenes(TWO, [GREY], 9, 64), placed(4, 8), placed(14, 20, kind=1))
    red, green = rectangle(4, 8, 24, 28), rectangle(14, 20, 34, 40)
    want = GREY.copy()
    want[:, red] = np.array([[1], [0], [0]])
    want[:, green] = np.array([[0], [1], [0]])
    np.testing.assert_array_equal(image, want)
    assert image.dtype == np.float32
    np.testing.assert_array_equal(target["masks"], [red & ~green, green])  # the later one hides the earlier one
    assert target["boxes"].tolist() == [[4, 8, 24, 28], [14, 20, 34, 40]]
    assert target["labels"].tolist() == [1, 2]
    assert target["ids"].tolist() == [0, 1]
    assert target["image_id"] == 5


def test_a_hidden_object_is_none_and_a_partly_hidden_one_has_the_box_of_what_is_seen():
    scenes = Scenes(TWO, [GREY], 9, 64)
    target = scene_of(scenes, placed(10, 10), placed(40, 40, kind=1), placed(10, 10, kind=1))[1]
    assert target["labels"].tolist() == [2, 2]  # nothing is left of the first
    assert target["ids"].tolist() == [0, 1]
    target = scene_of(scenes, placed(10, 10), placed(10, 20, kind=1))[1]
    assert target["boxes"].tolist() == [[10, 10, 30, 20], [10, 20, 30, 40]]
    target = scene_of(scenes, placed(10, 10), placed(20, 10, kind=1), placed(0, 10, kind=1))[1]
    assert target["boxes"].tolist() == [[20, 10, 40, 30], [0, 10, 20, 30]]  # what was between them is hidden


@pytest.mark.parametrize(("left", "labels"), [(16, [1, 2, 3]), (15, [2, 3])])
def test_what_is_left_of_an_object_counts_from_a_size_on(left, labels):
    """In a scene of 64 pixels from 4 * 4 pixels on; a strip 1 pixel wide is left of the first object."""
    scenes = Scenes([*TWO, CutOut(3, stamp((0, 0, 255)), "blue")], [GREY], 9, 64)
    target = scene_of(scenes, placed(10, 10), placed(11, 10, kind=1), placed(10, 10 + left, kind=2))[1]
    assert target["labels"].tolist() == labels
    assert target["masks"][-1].sum() == 400
    assert target["masks"][labels.index(2)].sum() == 20 * left + (20 - left)  # green: all but 19 columns of the lower rows


def test_an_object_may_reach_over_the_border():
    image, target = scene_of(Scenes(TWO, [GREY], 9, 64), placed(-4, 48))
    assert target["boxes"].tolist() == [[0, 48, 16, 64]]
    np.testing.assert_array_equal(image[0] == 1, rectangle(0, 48, 16, 64))


def test_objects_are_resized_mirrored_and_turned_counter_clockwise():
    two = np.array(stamp((255, 0, 0)))
    two[:, 10:] = 0, 0, 255, 255
    scenes = Scenes([CutOut(1, Image.fromarray(two), "halves")], [GREY], 9, 64)
    plain, _ = scene_of(scenes, placed(10, 10))
    assert plain[0, 12, 12] == plain[2, 12, 28] == 1
    swapped, _ = scene_of(scenes, placed(10, 10, mirrored=True))
    assert swapped[2, 12, 12] == swapped[0, 12, 28] == 1
    turned, target = scene_of(scenes, placed(10, 10, turned=90.0))
    assert target["boxes"].tolist() == [[10, 10, 30, 30]]
    assert turned[2, 12, 12] == turned[0, 28, 12] == 1  # what was right is on top
    large, target = scene_of(scenes, placed(10, 10, scale=32 / 64))
    assert target["boxes"].tolist() == [[10, 10, 42, 42]]
    assert large[0, 40, 12] == large[2, 40, 40] == 1


def test_an_object_lies_at_most_by_a_fifth_outside():
    scenes, outside = Scenes(TWO, [GREY], 1, 64), []
    for seed in range(400):
        picture, place = scenes._placed(stamp(size=(20, 11)), np.random.default_rng(seed))
        outside += [max(-corner, corner + side - 64) / side for corner, side in zip(place, picture.size, strict=True)]
    assert max(outside) <= 0.2
    assert max(outside) > 0.15


def test_the_longer_side_is_a_share_of_the_scenes():
    """Turned by up to 25 degrees, a rectangle of 40 x 20 becomes up to 45 pixels wide."""
    scenes = Scenes(TWO, [GREY], 1, 64, scale=(0.5, 0.625))
    picture = stamp(size=(40, 20))
    sides = [max(scenes._placed(picture, np.random.default_rng(seed))[0].size) for seed in range(200)]
    assert 32 <= min(sides) < 35
    assert 43 < max(sides) <= 47  # whole pixels, rounded up on both ends


def test_turned_objects_are_seen_where_their_masks_are():
    """Away from outlines, whose pixels are mixed, an object's pixels have its colour and all others are of the background."""
    objects = [
        CutOut(label, stamp(rgb, size, 3), str(label))
        for (label, rgb), size in zip(COLOURS.items(), [(20, 40), (40, 20), (30, 30), (25, 35)])
    ]
    scenes, overlaps = Scenes(objects, [GREY], 60, 64), 0
    for index in range(60):
        image, target = scenes[index]
        masks = target["masks"]
        assert (masks.sum(0) <= 1).all()
        assert 0 < len(masks) <= 4
        assert (masks.sum((1, 2)) >= 16).all()
        assert [tuple(box) for box in target["boxes"]] == [box_of(mask) for mask in masks]
        for label, mask in zip(target["labels"].tolist(), masks):
            inside = image[:, binary_erosion(mask, iterations=2)]
            if inside.size:  # resizing, turning and pasting round colour and opacity
                assert np.abs(inside.T * 255 - COLOURS[label]).max() <= 4
        away = ~binary_dilation(masks.any(0), iterations=3)
        stray = (np.abs(image - GREY).max(0) > 1 / 255) & away
        assert stray.sum() < 3 * 16  # slivers of up to 3 hidden objects
        overlaps += any((a[:2] < b[2:]).all() and (b[:2] < a[2:]).all() for a, b in combinations(target["boxes"], 2))
    assert overlaps > 10


def test_every_class_is_as_likely_and_there_are_one_to_most_objects():
    many = [CutOut(1, stamp(size=(8, 8)), str(i)) for i in range(9)]
    scenes, counts, labels = Scenes([*many, CutOut(5, stamp(size=(8, 8)), "rare")], [GREY], 300, 64, most=3), [0] * 4, []
    for index in range(300):
        found = scenes[index][1]["labels"].tolist()
        counts[len(found)] += 1
        labels += found
    assert set(labels) == {1, 5}
    assert 0.4 < labels.count(5) / len(labels) < 0.6  # about 600 fair draws: 5 deviations
    assert min(counts[1:]) > 40  # about a third of 300 each, but for hidden ones


def test_backgrounds_are_square_parts_of_all_photographs():
    rows, columns = np.mgrid[:50, :90] / np.array(255.0)
    wide = np.stack([rows, columns, np.zeros((50, 90))]).astype(np.float32)
    scenes = Scenes([CutOut(1, stamp(size=(4, 4)), "dot")], [wide, wide.transpose(0, 2, 1).copy()], 200, 32, most=1)
    corners, spans, turned = [], [], 0
    for index in range(200):
        image, target = scenes[index]
        numbers = np.where(target["masks"].any(0), np.nan, image * 255)
        (top, left), across = np.nanmin(numbers[:2], (1, 2)), numbers[:, 0]
        down = np.nanmax(numbers[0]) - top
        assert abs(down - (np.nanmax(numbers[1]) - left)) <= 2  # as much down as across; levels are rounded
        turned += np.nanargmax(across[0]) > 16
        corners.append((top, left))
        spans.append(down)
    assert min(spans) > 28  # never enlarged: at least 32 pixels, whose ends are averaged or rounded away
    assert max(spans) > 45
    assert 60 < turned < 140


# Who sees which


def painted(folder, counts):
    """Write cut-outs of a colour of their own each, and return it by class and name."""
    colours = {}
    for kind, count in enumerate(counts):
        for number in range(count):
            colours[kind + 1, f"x{number:02d}"] = rgb = (40 * kind + 60, 20 * number + 10, 200)
            save(folder, **{f"class{kind}__x{number:02d}": stamp(rgb, margin=4)})
    return colours


def test_held_out_cut_outs_are_in_no_training_scene(tmp_path, monkeypatch):
    colours = painted(tmp_path, [7, 2, 5])
    monkeypatch.setattr(module, "backgrounds", lambda: [GREY])
    train, test, names = data.scenes(60, 40, 64, tmp_path)
    assert names == ["class0", "class1", "class2"]
    assert (len(train), len(test)) == (60, 40)
    known, new = ({(o.label, o.name) for kind in part.by_class for o in kind} for part in (train, test.dataset))
    assert new == {(1, "x00"), (1, "x05"), (2, "x00"), (3, "x00")}
    assert known == colours.keys() - new

    def seen(scenes, draw):
        """Which cut-outs are seen: pixels of a colour that resizing may have changed by 1."""
        found = set()
        for index in range(len(scenes)):
            pixels = np.rint(draw(index)[0].reshape(3, -1).T * 255)
            found |= {key for key, rgb in colours.items() if (np.abs(pixels - rgb).max(1) <= 1).sum() > 9}
        return found

    assert seen(test, test.__getitem__) == new
    assert seen(train, lambda index: train.sample(index, np.random.default_rng(index))) == known
    assert test.dataset.seed != train.seed
    for part in (train, test.dataset):
        assert (part.size, part.most, part.scale) == (64, 4, (0.3, 0.6))


def test_held_out_scenes_are_the_same_for_every_loader(tmp_path, monkeypatch):
    """Else a network would be judged by annotations of other scenes."""
    painted(tmp_path, [2, 2])
    monkeypatch.setattr(module, "backgrounds", lambda: [GREY])
    train, test, names = data.scenes(3, 9, 64, tmp_path, most=6, scale=(0.2, 0.25))
    assert [(part.most, part.scale) for part in (train, test.dataset)] == [(6, (0.2, 0.25))] * 2
    want = bits(test[i] for i in range(9))
    for part, indices in ((test, range(9)), (data.Subset(test, range(4, 9)), range(4, 9))):
        for seed, epoch, workers in ((0, 0, 0), (5, 3, 2)):
            batches = Loader(part, 2, shuffle=False, seed=seed, workers=workers).iterate(epoch)
            found = [(image, target) for images, targets in batches for image, target in zip(images, targets)]
            assert bits(found) == [want[i] for i in indices]
            assert [target["image_id"] for _, target in found] == list(indices)
        annotations = data.ground_truth_of(part, names)["annotations"]
        assert [a["image_id"] for a in annotations] == [i for i in indices for _ in test[i][1]["ids"]]


def test_a_class_of_one_cut_out_or_none_is_told(tmp_path, monkeypatch):
    painted(tmp_path, [2, 1])
    monkeypatch.setattr(module, "backgrounds", lambda: [GREY])
    message = "scenes: class1: expected at least 2 cut-outs of the class, one of them for the test, got 1"
    with pytest.raises(DataError, match=message):
        data.scenes(2, 2, 64, tmp_path)
    (tmp_path / "class1" / "x00.png").unlink()
    with pytest.raises(DataError, match=r"scenes: class1: .*, got 0"):
        data.scenes(2, 2, 64, tmp_path)


def bits(samples):
    return [(image.tobytes(), target["masks"].tobytes(), target["labels"].tolist()) for image, target in samples]


def test_scenes_follow_from_seed_epoch_and_index_for_any_workers():
    scenes = Scenes(TWO, [GREY], 7, 48)

    def loaded(workers, epoch, seed=2):
        batches = Loader(scenes, 3, seed=seed, workers=workers).iterate(epoch)
        return bits((image, target) for images, targets in batches for image, target in zip(images, targets))

    want = loaded(0, 4)
    assert len({image for image, *_ in want}) == 7
    assert loaded(1, 4) == loaded(3, 4) == want
    for others in (loaded(0, 5), loaded(0, 4, seed=3)):
        assert not {image for image, *_ in others} & {image for image, *_ in want}
    fixed = bits(scenes[i] for i in range(7))
    assert bits(Scenes(TWO, [GREY], 7, 48)[i] for i in range(7)) == fixed
    assert not {image for image, *_ in bits(Scenes(TWO, [GREY], 7, 48, seed=1)[i] for i in range(7))} & {i for i, *_ in fixed}


def test_what_scenes_refuse():
    for options, message in (
        ({"count": 0}, "Scenes: count: expected at least 1, got 0"),
        ({"count": 1, "size": 31}, "Scenes: size: expected at least 32, got 31"),
        ({"count": 1, "most": 0}, "Scenes: most: expected at least 1, got 0"),
        ({"count": 1, "seed": -1}, "Scenes: seed: expected at least 0, got -1"),
    ):
        with pytest.raises(ArgumentError, match=message):
            Scenes(TWO, [GREY], **options)
    for scale in ((0.0, 0.5), (0.6, 0.3), (0.5, 1.1), (0.5,)):
        with pytest.raises(ArgumentError, match=r"Scenes: scale: expected a range \(low, high\) in \(0, 1\], got "):
            Scenes(TWO, [GREY], 1, scale=scale)
    for objects, photographs, got in (([], [GREY], "0 and 1"), (TWO, [], "2 and 0")):
        with pytest.raises(ArgumentError, match=f"Scenes: objects, photographs: expected at least one of each, got {got}"):
            Scenes(objects, photographs, 1)
    for index in (-1, 3):
        with pytest.raises(IndexRangeError, match=rf"Scenes: index: expected 0\.\.2, got {index}"):
            Scenes(TWO, [GREY], 3)[index]


# Photographs


def test_photographs_are_those_of_scikit_image():
    pytest.importorskip("skimage")
    found = backgrounds()
    assert len(found) == 6
    for photograph in found:
        assert photograph.dtype == np.float32
        assert photograph.shape[0] == 3
        assert min(photograph.shape[1:]) >= 128
        assert photograph.min() >= 0
        assert 0.2 < photograph.max() <= 1
        assert photograph.std() > 0.02


def test_without_scikit_image_the_fix_is_told(monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"backgrounds: data: expected the package scikit-image: .*, got no such package"):
        backgrounds()
