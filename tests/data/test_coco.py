"""Files of COCO instances: what is read from them, and every way in which they can be wrong or hostile."""

from __future__ import annotations

import contextlib
import io
import json
import re
import sys

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from rawseg.data import coco_file
from rawseg.data.coco import CocoInstances
from rawseg.data.coco_file import CocoImage
from rawseg.data.images import write_image
from rawseg.errors import ArgumentError, ArgumentTypeError, DataError

# pycocotools' decode warns with NumPy 2; rawseg itself does not call it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SQUARE = [1, 1, 4, 1, 4, 3, 1, 3]  # columns 1..3, rows 1..2
DROP = object()  # for `changed`: take the key out


def annotation(identity=1, **changes):
    entry = {"id": identity, "image_id": 10, "category_id": 7, "bbox": [1, 1, 3, 2], "area": 6, "iscrowd": 0}
    return changed({**entry, "segmentation": [SQUARE]}, changes)


def changed(entry, changes):
    return {key: value for key, value in {**entry, **changes}.items() if value is not DROP}


def document(*annotations, images=None, categories=None):
    return {
        "images": images or [{"id": 10, "file_name": "a.png", "height": 5, "width": 8}],
        "categories": categories or [{"id": 7, "name": "cell"}],
        "annotations": list(annotations),
    }


def dataset(folder, content, **options):
    """Write the file (an object, or text as it is) and the images of which it tells, and open them."""
    path = folder / "instances.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    for name in ("a.png", "b.png", "deep/c.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        write_image(folder / name, np.full((3, 5, 8), 51, np.uint8))
    return CocoInstances(path, folder, **options)


def refused(folder, content, where, message):
    pattern = rf"^CocoInstances: .*instances\.json{re.escape(where)}: {re.escape(message)}"
    with pytest.raises(DataError, match=pattern):
        dataset(folder, content)


def mask_of(tmp_path, segmentation, height=5, width=8):
    image = [{"id": 10, "file_name": "a.png", "height": height, "width": width}]
    data = dataset(tmp_path, document(annotation(segmentation=segmentation), images=image))
    return data[0][1]["masks"][0]


def test_a_file_by_hand(tmp_path):
    images = [
        {"id": 30, "file_name": "b.png", "height": 5, "width": 8},
        {"id": 10, "file_name": "./deep/c.png", "height": 5, "width": 8},
        {"id": 20, "file_name": "a.png", "height": 5, "width": 8},
    ]
    categories = [{"id": 9, "name": "dog"}, {"id": 2, "name": "cat"}]
    runs = {"size": [5, 8], "counts": [5, 3, 32]}  # rows 0..2 of column 1
    content = document(
        annotation(5, image_id=30, category_id=9),
        annotation(3, image_id=20, category_id=2, bbox=[-2, 3.5, 4, 9]),
        annotation(4, image_id=30, category_id=2, segmentation=runs),
        annotation(6, image_id=30, category_id=2, segmentation=runs, iscrowd=1),
        images=images,
        categories=categories,
    )
    data = dataset(tmp_path, content)
    assert len(data) == 3
    assert data.names == ["b.png", "deep/c.png", "a.png"]
    assert data.image_ids == [30, 10, 20]
    assert data.category_ids == [2, 9]
    assert data.class_names == ["cat", "dog"]
    assert data.skipped == []
    image, target = data[0]
    assert image.shape == (3, 5, 8)
    assert image.dtype == np.float32
    assert (image == np.float32(0.2)).all()
    assert target["ids"].tolist() == [5, 4]  # not the crowd
    assert target["labels"].tolist() == [2, 1]
    assert target["image_id"] == 30
    masks = np.zeros((2, 5, 8), bool)
    masks[0, 1:3, 1:4] = masks[1, 0:3, 1] = True
    np.testing.assert_array_equal(target["masks"], masks)
    assert target["boxes"].tolist() == [[1, 1, 4, 3], [1, 1, 4, 3]]
    assert data[2][1]["boxes"].tolist() == [[0, 3.5, 2, 5]]  # clipped to the image
    with pytest.raises(IndexError):
        data[3]


def test_an_image_without_annotations_is_a_sample(tmp_path):
    crowd = annotation(segmentation={"size": [5, 8], "counts": [20, 20]}, iscrowd=1)
    for content in (document(), document(crowd)):
        target = dataset(tmp_path, content)[0][1]
        assert [target[key].shape for key in ("boxes", "labels", "masks", "ids")] == [(0, 4), (0,), (0, 5, 8), (0,)]
        assert [target[key].dtype for key in ("boxes", "labels", "masks", "ids")] == [np.float32, np.int64, bool, np.int64]
    assert dataset(tmp_path, document(), channels=1)[0][0].shape == (1, 5, 8)


def test_parts_of_a_polygon_are_joined_and_a_keyhole_leaves_a_hole(tmp_path):
    expected = np.zeros((5, 8), bool)
    expected[1:3, 1:4] = expected[3:5, 5:8] = True
    np.testing.assert_array_equal(mask_of(tmp_path, [SQUARE, [5, 3, 8, 3, 8, 5, 5, 5]]), expected)
    np.testing.assert_array_equal(mask_of(tmp_path, [SQUARE, SQUARE]), expected & (np.arange(8) < 4))
    # Around the border of 5 x 8 pixels, then along a cut to the hole of rows 2..3 and columns 2..4, and back.
    ring = [0, 0, 8, 0, 8, 5, 0, 5, 0, 0, 2, 2, 2, 4, 5, 4, 5, 2, 2, 2]
    mask = mask_of(tmp_path, [ring])
    expected = pycocotools.mask.decode(pycocotools.mask.frPyObjects([ring], 5, 8))[:, :, 0]
    np.testing.assert_array_equal(mask, expected)
    assert (int(mask[3, 3]), int(mask[0].sum())) == (0, 8)


@given(st.data())
def test_any_legal_polygons_are_drawn_as_pycocotools_draws_them(tmp_path_factory, data):
    height, width = data.draw(st.tuples(st.integers(1, 7), st.integers(1, 12)))
    longest = 4 * max(height, width)
    polygon = st.integers(3, 7).flatmap(lambda n: st.lists(st.floats(-longest, longest), min_size=2 * n, max_size=2 * n))
    polygons = data.draw(st.lists(polygon, min_size=1, max_size=3))
    image = {"id": 10, "file_name": "a.png", "height": height, "width": width}
    entry = annotation(segmentation=polygons, bbox=[0, 0, width, height])
    folder = tmp_path_factory.mktemp("coco")
    path = folder / "instances.json"
    path.write_text(json.dumps(document(entry, images=[image])))
    write_image(folder / "a.png", np.zeros((3, height, width), np.uint8))
    found = CocoInstances(path, folder, skip_invalid=True)
    expected = pycocotools.mask.decode(pycocotools.mask.frPyObjects(polygons, height, width)).max(2) > 0
    masks = found[0][1]["masks"]
    np.testing.assert_array_equal(masks, [expected] if expected.any() else np.zeros((0, height, width), bool))
    assert len(found.ground_truth()["annotations"]) == expected.any()
    assert len(found.skipped) == (not expected.any())


def test_a_compressed_string_is_read(tmp_path):
    mask = np.zeros((5, 8), bool)
    mask[2:, 3:6] = mask[0, 0] = True
    string = pycocotools.mask.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
    np.testing.assert_array_equal(mask_of(tmp_path, {"size": [5, 8], "counts": string}), mask)


def test_ground_truth_is_evaluated_by_pycocotools(tmp_path):
    """Predictions equal to the truth score 1, with an annotation 0, a crowd and empty runs in an RLE."""
    runs = {"size": [5, 8], "counts": [0, 0, 0, 0, 5, 3, 0, 0, 32]}
    content = document(
        annotation(0),
        annotation(1, segmentation=runs, area=DROP),
        annotation(2, segmentation=runs, iscrowd=1, bbox=[1, 0, 1, 3]),
    )
    data = dataset(tmp_path, content)
    truth = json.loads(json.dumps(data.ground_truth()))
    assert truth["images"] == [{"id": 10, "file_name": "a.png", "height": 5, "width": 8}]
    assert truth["categories"] == [{"id": 7, "name": "cell"}]
    assert [entry["id"] for entry in truth["annotations"]] == [1, 2, 3]
    assert [entry["area"] for entry in truth["annotations"]] == [6, 3, 6]
    assert [entry["iscrowd"] for entry in truth["annotations"]] == [0, 0, 1]
    assert truth["annotations"][0]["segmentation"] == [SQUARE]
    assert truth["annotations"][0]["bbox"] == [1, 1, 3, 2]
    assert truth["annotations"][1]["segmentation"] == {"size": [5, 8], "counts": [5, 3, 32]}
    results = []
    for mask in data[0][1]["masks"]:
        rle = pycocotools.mask.encode(np.asfortranarray(mask, np.uint8))
        results.append({"image_id": 10, "category_id": 7, "score": 0.9, "segmentation": rle})
    with contextlib.redirect_stdout(io.StringIO()):
        judge = COCO()
        judge.dataset = truth
        judge.createIndex()
        evaluation = COCOeval(judge, judge.loadRes(results), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_ground_truth_shares_nothing_with_the_data(tmp_path):
    data = dataset(tmp_path, document(annotation(1), annotation(2, segmentation={"size": [5, 8], "counts": [5, 3, 32]})))
    before = json.dumps(data.ground_truth())
    truth = data.ground_truth()
    for entry in truth["annotations"]:
        entry["bbox"].clear()
        for part in entry["segmentation"].values() if isinstance(entry["segmentation"], dict) else entry["segmentation"]:
            part.clear()
    assert json.dumps(data.ground_truth()) == before
    assert [entry["id"] for entry in truth["annotations"]] == [1, 2]  # as in the file: none of them is 0


def test_a_mask_without_pixels_is_refused_by_id_when_it_is_drawn(tmp_path):
    sliver = [0.2, 0.2, 0.3, 0.2, 0.3, 0.3]
    empty = {"size": [5, 8], "counts": [40]}
    message = r"instances\.json, annotation 4: expected a mask of at least one pixel, got none$"
    for segmentation in ([sliver], empty):
        data = dataset(tmp_path, document(annotation(4, segmentation=segmentation)))
        for read in (lambda data=data: data[0], data.ground_truth):
            with pytest.raises(DataError, match=message):
                read()


def test_skipped_annotations_are_listed_with_their_reasons(tmp_path):
    content = document(
        annotation(1),
        annotation(2, bbox=[0, 0, 0, 1]),
        "nothing",
        annotation(1),
        annotation("three"),
        annotation(4, segmentation={"size": [5, 8], "counts": [40]}),
        annotation(5, segmentation={"size": [5, 8], "counts": [39]}),
        annotation(6),
    )
    data = dataset(tmp_path, content, skip_invalid=True)
    assert [identity for identity, _ in data.skipped] == [2, None, 1, "three", 5]
    for (_, reason), place in zip(data.skipped, (", annotation 2:", "[2]:", "[3]:", "[4]:", ", annotation 5:")):
        assert f"instances.json{place}".replace("json[", "json, annotations[") in reason
    for _ in range(2):  # an empty mask is listed once
        assert data[0][1]["ids"].tolist() == [1, 6]
        assert [entry["id"] for entry in data.ground_truth()["annotations"]] == [1, 6]
    assert [identity for identity, _ in data.skipped] == [2, None, 1, "three", 5, 4]
    assert data.skipped[-1][1].endswith("annotation 4: expected a mask of at least one pixel, got none")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(document(annotation()))[:-20], "expected an undamaged JSON file, got JSONDecodeError: Expecting"),
        ("", "expected an undamaged JSON file, got JSONDecodeError: Expecting value"),
        ('{"images": NaN}', "expected an undamaged JSON file, got ValueError: NaN, which is no JSON number"),
        ('{"images": [-Infinity]}', "expected an undamaged JSON file, got ValueError: -Infinity, which is no JSON number"),
        ("[" * 100_000, "expected an undamaged JSON file, got RecursionError"),
        ("9" * 5000, "expected an undamaged JSON file, got ValueError: Exceeds the limit"),
        ('{"images": [], "images": []}', "expected an undamaged JSON file, got ValueError: an object with a key twice"),
        ("[]", "expected an object with a list images, got []"),
        ('{"images": {}}', "expected an object with a list images, got {'images': {}}"),
        ('{"images": []}', "expected at least one entry in images, got none"),
        ('{"images": [1], "categories": [1]}', "expected an object with a list annotations, got"),
        ('{"images": [1], "categories": []}', "expected at least one entry in categories, got none"),
        ('{"images": [1]}', "expected an object with a list categories, got {'images': [1]}"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, message):
    refused(tmp_path, text, "", message)


def test_bytes_that_are_no_text_and_missing_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "instances.json"
    message = r"^CocoInstances: .*instances\.json: expected a JSON file of COCO instances, got no such file$"
    with pytest.raises(DataError, match=message):
        CocoInstances(path, tmp_path)
    path.write_bytes(b'{"images": "\xff"}')
    with pytest.raises(DataError, match=r"instances\.json: expected an undamaged JSON file, got UnicodeDecodeError"):
        CocoInstances(path, tmp_path)
    monkeypatch.setattr(coco_file, "MAX_BYTES", 14)
    with pytest.raises(DataError, match=r"instances\.json: expected a file of at most 14 bytes, got 15$"):
        CocoInstances(path, tmp_path)


OUTSIDE = "expected a file_name: a relative path that does not leave the folder, got "


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"id": True}, "s[0]", "expected an integer id from 0 to 9223372036854775807, got True"),
        ({"id": 1.0}, "s[0]", "expected an integer id from 0 to 9223372036854775807, got 1.0"),
        ({"id": 2**63}, "s[0]", "expected an integer id from 0 to 9223372036854775807, got 9223372036854775808"),
        ({"id": -1}, "s[0]", "expected an integer id from 0 to 9223372036854775807, got -1"),
        ({"id": DROP}, "s[0]", "expected an integer id from 0 to 9223372036854775807, got None"),
        ({"file_name": DROP}, " 10", OUTSIDE + "None"),
        ({"file_name": ""}, " 10", OUTSIDE + "''"),
        ({"file_name": "."}, " 10", OUTSIDE + "'.'"),
        ({"file_name": 3}, " 10", OUTSIDE + "3"),
        ({"file_name": "../a.png"}, " 10", OUTSIDE + "'../a.png'"),
        ({"file_name": "x/../../a.png"}, " 10", OUTSIDE + "'x/../../a.png'"),
        ({"file_name": "x\\..\\..\\a.png"}, " 10", OUTSIDE + "'x"),
        ({"file_name": "/etc/passwd"}, " 10", OUTSIDE + "'/etc/passwd'"),
        ({"file_name": "C:a.png"}, " 10", OUTSIDE + "'C:a.png'"),
        ({"file_name": "\\\\host\\share\\a.png"}, " 10", OUTSIDE),
        ({"file_name": "a.png\0"}, " 10", OUTSIDE + "'a.png\\x00'"),
        ({"height": 0}, " 10", "expected height and width as integers of at least 1, got 0 and 8"),
        ({"height": True}, " 10", "expected height and width as integers of at least 1, got True and 8"),
        ({"width": 8.0}, " 10", "expected height and width as integers of at least 1, got 5 and 8.0"),
        ({"width": DROP}, " 10", "expected height and width as integers of at least 1, got 5 and None"),
        ({"width": 10**9}, " 10", "expected at most 89478485 pixels, got 5 x 1000000000"),
    ],
)
def test_a_wrong_image_is_refused(tmp_path, changes, where, message):
    image = changed({"id": 10, "file_name": "a.png", "height": 5, "width": 8}, changes)
    refused(tmp_path, document(annotation(), images=[image]), f", image{where}", message)


def test_images_and_categories_that_come_twice_are_refused(tmp_path):
    image = {"id": 10, "file_name": "a.png", "height": 5, "width": 8}
    refused(
        tmp_path, document(images=[image, {**image, "file_name": "b.png"}]), ", images[1]", "expected an id of its own, got 10 "
    )
    refused(
        tmp_path, document(images=[image, {**image, "id": 1, "file_name": "./a.png"}]), ", image 1", "expected a file_name of "
    )
    refused(tmp_path, document(images=[None]), ", images[0]", "expected an object, got None")
    category = {"id": 7, "name": "cell"}
    refused(
        tmp_path, document(categories=[category, {"id": 7, "name": "x"}]), ", categories[1]", "expected an id of its own, got 7"
    )
    refused(tmp_path, document(categories=[category, {"id": 8, "name": "cell"}]), ", category 8", "expected a name of its own")
    refused(tmp_path, document(categories=[{"id": 8, "name": ""}]), ", category 8", "expected a name of its own, got ''")
    refused(tmp_path, document(categories=[{"id": 8}]), ", category 8", "expected a name of its own, got None")
    refused(tmp_path, document(categories=[{"id": True, "name": "x"}]), ", categories[0]", "expected an integer id from 0 to")
    refused(tmp_path, document(annotation(), annotation()), ", annotations[1]", "expected an id of its own, got 1 again")
    refused(
        tmp_path, document(annotation(False)), ", annotations[0]", "expected an integer id from 0 to 9223372036854775807, got F"
    )


EVEN = "expected polygons of x, y, x, y, ...: an even count of at least 6 numbers, got "
FURTHEST = "expected polygons of finite numbers from -32 to 32, 4 times the image's longer side, got "


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": 11}, "expected the image_id of an entry of the file, got 11"),
        ({"image_id": 10.0}, "expected the image_id of an entry of the file, got 10.0"),
        ({"image_id": [10]}, "expected the image_id of an entry of the file, got [10]"),
        ({"category_id": DROP}, "expected the category_id of an entry of the file, got None"),
        ({"category_id": "7"}, "expected the category_id of an entry of the file, got '7'"),
        ({"iscrowd": 2}, "expected iscrowd 0 or 1, got 2"),
        ({"iscrowd": True}, "expected iscrowd 0 or 1, got True"),
        ({"area": -1}, "expected an area: a finite number of at least 0, got -1"),
        ({"area": True}, "expected an area: a finite number of at least 0, got True"),
        ({"bbox": DROP}, "expected a bbox of 4 finite numbers, got None"),
        ({"bbox": [1, 1, 3]}, "expected a bbox of 4 finite numbers, got [1, 1, 3]"),
        ({"bbox": [1, 1, 3, True]}, "expected a bbox of 4 finite numbers, got [1, 1, 3, True]"),
        ({"bbox": [1, 1, 3, 10**400]}, "expected a bbox of 4 finite numbers, got [1, 1, 3, 1000"),
        ({"bbox": [1, 1, 0, 2]}, "expected a bbox [x, y, width, height] of positive width and height, got [1, 1, 0, 2]"),
        ({"bbox": [1, 1, 2, -2]}, "expected a bbox [x, y, width, height] of positive width and height, got [1, 1, 2, -2]"),
        ({"bbox": [8, 0, 2, 2]}, "expected a bbox that overlaps its image of 5 x 8 (height x width), got [8, 0, 2, 2]"),
        ({"bbox": [0, -3, 2, 3]}, "expected a bbox that overlaps its image of 5 x 8 (height x width), got [0, -3, 2, 3]"),
        ({"bbox": [1e300, 0, 1e300, 2]}, "expected a bbox that overlaps its image of 5 x 8"),
        ({"bbox": [8 - 1e-9, 0, 2, 2]}, "expected a bbox that overlaps its image of 5 x 8"),
        ({"segmentation": DROP}, "expected a segmentation: an RLE or a list of polygons, got None"),
        ({"segmentation": []}, "expected a segmentation: an RLE or a list of polygons, got []"),
        ({"segmentation": "121"}, "expected a segmentation: an RLE or a list of polygons, got '121'"),
        ({"segmentation": SQUARE}, EVEN + "1"),
        ({"segmentation": [SQUARE, [1, 2, 3, 4]]}, EVEN + "4 of them"),
        ({"segmentation": [[1, 2, 3, 4, 5, 6, 7]]}, EVEN + "7 of them"),
        ({"segmentation": [[1, 2, 3, 4, 5, "6"]]}, FURTHEST + "'6'"),
        ({"segmentation": [[1, 2, 3, 4, 5, False]]}, FURTHEST + "False"),
        ({"segmentation": [[1, 2, 3, 4, 5, 32.5]]}, FURTHEST + "32.5"),
        ({"segmentation": [[1, 2, 3, 4, 5, -1e12]]}, FURTHEST + "-1000000000000.0"),
        ({"segmentation": [[1, 2, 3, 4, 5, 10**400]]}, FURTHEST + "1000"),
        (
            {"segmentation": [[-32, 0, 32, 0] * 10_000]},
            "expected polygons with an outline of at most 1000000 pixels, got 1280000",
        ),
        ({"segmentation": {"counts": [40]}}, "expected an RLE: an object with size and counts, got {'counts': [40]}"),
        (
            {"segmentation": {"size": [8, 5], "counts": [40]}},
            "expected an RLE of its image's size, [5, 8] (height, width), got [8, 5]",
        ),
        ({"segmentation": {"size": [5, 8], "counts": [41, -1]}}, "expected an RLE whose counts are integers of at least 0"),
        (
            {"segmentation": {"size": [5, 8], "counts": [39]}},
            "expected an RLE whose counts sum to height * width, 5 * 8 = 40, got 39",
        ),
        (
            {"segmentation": {"size": [5, 8], "counts": "0"}},
            "expected an RLE whose counts sum to height * width, 5 * 8 = 40, got 0",
        ),
        ({"segmentation": {"size": [5, 8], "counts": "T"}}, "expected an RLE string that ends with a length"),
        ({"segmentation": {"size": [5, 8], "counts": "!"}}, "expected an RLE string of the characters 0 to o, got '!' at 0"),
    ],
)
def test_a_wrong_annotation_is_refused(tmp_path, changes, message):
    refused(tmp_path, document(annotation(), annotation(2, **changes)), ", annotation 2", message)


def test_numbers_that_overflow_to_infinity_are_refused(tmp_path):
    """JSON has no infinity, but Python reads 1e999 as one."""
    text = json.dumps(document(annotation(area=12345, bbox=[1, 1, 3, 77], segmentation=[[55, *SQUARE[1:]]])))
    for number, message in (
        ("12345", "expected an area: a finite number of at least 0, got inf"),
        ("77", "expected a bbox of 4 finite numbers, got [1, 1, 3, inf]"),
    ):
        refused(tmp_path, text.replace("[55", "[1").replace(number, "1e999"), ", annotation 1", message)
    refused(tmp_path, text.replace("[55", "[1e999"), ", annotation 1", FURTHEST + "inf")


def test_nan_is_caught_where_it_cannot_come_from_json():
    """The checks themselves refuse NaN: they do not lean on the parser."""
    image = CocoImage(10, "a.png", 5, 8)
    for place in range(4):
        bbox = [1.0, 1.0, 3.0, 2.0]
        bbox[place] = float("nan")
        with pytest.raises(DataError, match="expected a bbox of 4 finite numbers"):
            coco_file._box("x", bbox, image)
    with pytest.raises(DataError, match="expected polygons of finite numbers"):
        coco_file._polygons("x", [[1, 2, 3, 4, 5, float("nan")]], 32)


def test_iscrowd_and_area_may_be_missing(tmp_path):
    data = dataset(tmp_path, document(annotation(iscrowd=DROP, area=DROP)))
    assert data[0][1]["ids"].tolist() == [1]
    assert data.ground_truth()["annotations"][0]["area"] == 6
    assert data.ground_truth()["annotations"][0]["iscrowd"] == 0


def test_huge_finite_boxes_are_clipped_without_a_warning(tmp_path):
    data = dataset(tmp_path, document(annotation(bbox=[-1e308, -1e308, 1.7e308, 1.7e308])))
    assert data[0][1]["boxes"].tolist() == [[0, 0, 8, 5]]


def test_missing_images_are_listed_at_the_start(tmp_path):
    images = [{"id": k, "file_name": f"no{k}.png", "height": 5, "width": 8} for k in range(10)]
    content = document(images=[*images, {"id": 10, "file_name": "a.png", "height": 5, "width": 8}])
    message = r"^CocoInstances: .*: expected all images of .*instances\.json, got no 'no0\.png', .*'no7\.png' and 2 more$"
    with pytest.raises(DataError, match=message):
        dataset(tmp_path, content)
    (tmp_path / "instances.json").write_text(json.dumps(document()))
    with pytest.raises(DataError, match=r"^CocoInstances: .*nowhere: expected a folder of images, got no such folder$"):
        CocoInstances(tmp_path / "instances.json", tmp_path / "nowhere")


def test_an_image_of_another_size_names_both_files_and_sizes(tmp_path):
    data = dataset(tmp_path, document(images=[{"id": 10, "file_name": "a.png", "height": 8, "width": 5}]))
    message = r"a\.png: expected 8 x 5 \(height x width\), as .*instances\.json says of image 10, got 5 x 8$"
    with pytest.raises(DataError, match=message):
        data[0]


def test_without_pycocotools_polygons_say_what_to_install_and_runs_are_read(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycocotools.mask", None)
    message = r"^CocoInstances: pycocotools: expected the package: pip install 'rawseg\[coco\]', got no such package$"
    data = dataset(tmp_path, document(annotation()))
    for read in (lambda: data[0], data.ground_truth):
        with pytest.raises(DataError, match=message):
            read()
    data = dataset(tmp_path, document(annotation(segmentation={"size": [5, 8], "counts": [5, 3, 32]})))
    assert data[0][1]["masks"].sum() == 3


def test_arguments_are_checked(tmp_path):
    with pytest.raises(ArgumentError, match=r"^CocoInstances: channels: expected 1 or 3, got None$"):
        dataset(tmp_path, document(), channels=None)
    with pytest.raises(ArgumentTypeError, match=r"^CocoInstances: skip_invalid: expected a bool, got 1$"):
        dataset(tmp_path, document(), skip_invalid=1)
