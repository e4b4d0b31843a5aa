"""Metrics: cases by hand, plain loops as the oracle, the identities between the scores, and what is refused."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from bounds import gamma
from hypothesis import given
from hypothesis import strategies as st

from rawseg.errors import ArgumentError, ArgumentTypeError, DataError, DTypeError, IndexRangeError, ShapeError
from rawseg.metrics import Metrics, confusion_matrix, dice, iou, per_image, pixel_accuracy, precision, recall

SCORES = {"iou": iou, "dice": dice, "precision": precision, "recall": recall}

# Truth   0 0 1 1     prediction   0 1 1 1     pairs: (0,0) (0,1) (1,1) (1,1)
#         2 2 0 1                  2 0 0 2            (2,2) (2,0) (0,0) (1,2)
TARGET = np.array([[0, 0, 1, 1], [2, 2, 0, 1]])
PREDICTION = np.array([[0, 1, 1, 1], [2, 0, 0, 2]])
MATRIX = np.array([[2, 1, 0], [0, 2, 1], [1, 0, 1]])


@st.composite
def masks(draw, max_images=3):
    """Draw prediction, target, number of classes and perhaps an ignored id; some classes are often absent."""
    classes = draw(st.integers(1, 5))
    shape = (draw(st.integers(0, max_images)), draw(st.integers(1, 4)), draw(st.integers(1, 5)))
    ignore = draw(st.sampled_from([None, -100, 0, 255]))
    stream = np.random.default_rng(draw(st.integers(0, 2**32)))
    used = stream.choice(classes, stream.integers(1, classes + 1), replace=False)
    target, prediction = stream.choice(used, shape), stream.choice(classes, shape)
    agree = stream.random(shape) < stream.choice([0, 0.5, 1])
    prediction = np.where(agree, target, prediction)
    if ignore is not None:
        target = np.where(stream.random(shape) < stream.choice([0, 0.3, 1]), ignore, target)
    return prediction, target, classes, ignore


def count_by_loops(prediction, target, classes, ignore):
    matrix = [[0] * classes for _ in range(classes)]
    for predicted, true in zip(prediction.ravel().tolist(), target.ravel().tolist()):
        if true != ignore:
            matrix[true][predicted] += 1
    return matrix


def score_by_loops(name, matrix, label):
    """Return the exact score of one class, or None if it occurs nowhere."""
    tp = fp = fn = 0
    for true, row in enumerate(matrix):
        for predicted, pixels in enumerate(row):
            tp += pixels * (true == label and predicted == label)
            fp += pixels * (true != label and predicted == label)
            fn += pixels * (true == label and predicted != label)
    if tp + fp + fn == 0:
        return None
    if tp == 0:
        return Fraction(0)
    return Fraction(
        *{"iou": (tp, tp + fp + fn), "dice": (2 * tp, 2 * tp + fp + fn), "precision": (tp, tp + fp), "recall": (tp, tp + fn)}[
            name
        ]
    )


# By hand


def test_confusion_matrix_has_the_truth_in_rows():
    matrix = confusion_matrix(PREDICTION, TARGET, 3)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, MATRIX)
    np.testing.assert_array_equal(confusion_matrix(TARGET, PREDICTION, 3), MATRIX.T)


def test_scores_by_hand():
    # class 0: TP 2, FP 1, FN 1; class 1: TP 2, FP 1, FN 1; class 2: TP 1, FP 1, FN 1
    assert iou(MATRIX).tolist() == [2 / 4, 2 / 4, 1 / 3]
    assert dice(MATRIX).tolist() == [4 / 6, 4 / 6, 2 / 4]
    assert precision(MATRIX).tolist() == [2 / 3, 2 / 3, 1 / 2]
    assert recall(np.array([[2, 2], [0, 4]])).tolist() == [2 / 4, 4 / 4]
    assert precision(np.array([[2, 2], [0, 4]])).tolist() == [2 / 2, 4 / 6]
    assert iou(MATRIX, "macro") == (2 / 4 + 2 / 4 + 1 / 3) / 3
    assert iou(MATRIX, "micro") == 5 / 11  # 5 right; each of 3 wrong pixels is one FP and one FN
    assert dice(MATRIX, "micro") == pixel_accuracy(MATRIX) == 5 / 8
    assert isinstance(iou(MATRIX, "macro"), float)


@pytest.mark.spec("metrics.absent-class")
def test_a_class_that_occurs_nowhere_follows_the_policy():
    matrix = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    for score in SCORES.values():
        values = score(matrix)
        assert np.isnan(values[2])
        assert score(matrix, "macro") == (values[0] + values[1]) / 2
        for empty, value in (("zero", 0.0), ("one", 1.0)):
            assert score(matrix, empty=empty).tolist() == [values[0], values[1], value]
            assert abs(score(matrix, "macro", empty) - (values[0] + values[1] + value) / 3) <= gamma(4, np.float64)
        assert score(matrix, "micro") == score(matrix, "micro", "raise")
        with pytest.raises(
            DataError, match=r"empty: expected pixels of it in truth or prediction .*, got none at index \(2,\)"
        ):
            score(matrix, empty="raise")


@pytest.mark.parametrize("matrix", [[[3, 0], [2, 0]], [[3, 2], [0, 0]]])
def test_a_class_that_is_only_true_or_only_predicted_scores_0_by_every_policy(matrix):
    for score in SCORES.values():
        for empty in ("nan", "zero", "one", "raise"):
            assert score(np.array(matrix), empty=empty)[1] == 0


def test_without_any_pixel():
    nothing = np.zeros((2, 2), np.int64)
    for average in ("macro", "micro"):
        assert math.isnan(iou(nothing, average))
        assert iou(nothing, average, "one") == 1
        assert iou(nothing, average, "zero") == 0
    assert math.isnan(pixel_accuracy(nothing))
    assert pixel_accuracy(nothing, "one") == 1
    with pytest.raises(DataError, match="pixel_accuracy: empty"):
        pixel_accuracy(nothing, "raise")


def test_per_image_weighs_a_small_object_like_a_large_one():
    target = np.zeros((2, 10, 10), int)
    target[0, :9] = 1
    target[1, 0, 0] = 1
    prediction = target.copy()
    prediction[1, 0, 0] = 0  # the small object is missed
    scores = per_image(iou, prediction, target, 2, average=None)
    np.testing.assert_array_equal(scores, [[1, 1], [0.99, 0]])
    np.testing.assert_array_equal(per_image(iou, prediction, target, 2), [1, 0.495])
    assert iou(confusion_matrix(prediction, target, 2))[1] == 90 / 91


# Against loops


@given(masks(), st.sampled_from([np.int64, np.int32, np.uint8, np.uint64]))
def test_counts_and_scores_are_those_of_the_loops(case, dtype):
    prediction, target, classes, ignore = case
    if ignore == -100 and np.dtype(dtype).kind == "u":
        dtype = np.int16
    want = count_by_loops(prediction, target, classes, ignore)
    matrix = confusion_matrix(prediction.astype(dtype), target.astype(dtype), classes, ignore)
    assert matrix.tolist() == want
    for name, score in SCORES.items():
        exact = [score_by_loops(name, want, label) for label in range(classes)]
        # One division of exact integers is rounded correctly, as is a Fraction.
        np.testing.assert_array_equal(score(matrix), [np.nan if value is None else float(value) for value in exact])
        valid = [value for value in exact if value is not None]
        if valid:
            mean = float(sum(valid) / len(valid))
            assert abs(score(matrix, "macro") - mean) <= gamma(len(valid) + 2, np.float64) * mean


@given(masks())
def test_identities(case):
    matrix = confusion_matrix(*case)
    terms = 8 * np.finfo(np.float64).eps  # of a few operations on numbers of at most 2
    j, d, p, r = (score(matrix) for score in (iou, dice, precision, recall))
    present = ~np.isnan(j)
    np.testing.assert_array_equal(present, ~np.isnan(d) & ~np.isnan(p) & ~np.isnan(r))
    j, d, p, r = j[present], d[present], p[present], r[present]
    assert (np.abs(d - 2 * j / (1 + j)) <= terms).all()
    some = d > 0
    np.testing.assert_array_equal(some, (p > 0) & (r > 0))
    assert (np.abs(d[some] - 2 / (1 / p[some] + 1 / r[some])) <= terms).all()
    assert (np.minimum(p, r) - terms <= d).all()
    assert (d <= np.maximum(p, r) + terms).all()
    micro = [score(matrix, "micro") for score in (dice, precision, recall)]
    assert all(value == pixel_accuracy(matrix) or math.isnan(value) for value in micro)


@given(masks())
def test_truth_against_itself_is_perfect_and_precision_mirrors_recall(case):
    prediction, target, classes, ignore = case
    matrix = confusion_matrix(prediction, target, classes, ignore)
    np.testing.assert_array_equal(precision(matrix), recall(matrix.T))
    np.testing.assert_array_equal(iou(matrix), iou(matrix.T))
    perfect = confusion_matrix(target, target, classes, ignore)  # ignored ids may stand in the prediction too
    assert set(iou(perfect, empty="one")) == {1.0}


@given(masks(max_images=5), st.sampled_from(["nan", "zero", "one"]))
def test_the_accumulator_agrees_with_the_functions_for_any_batches(case, empty):
    prediction, target, classes, ignore = case
    whole, single = Metrics(classes, ignore, empty), Metrics(classes, ignore, empty)
    whole.update(prediction, target)
    for one, truth in zip(prediction, target):
        single.update(one, truth)
    summary = whole.compute()
    assert repr(summary) == repr(single.compute())
    matrix = confusion_matrix(prediction, target, classes, ignore)
    np.testing.assert_array_equal(summary.matrix, matrix)
    for name, score in SCORES.items():
        np.testing.assert_array_equal(getattr(summary, name), score(matrix, None, empty))
        np.testing.assert_array_equal(getattr(summary, f"mean_{name}"), score(matrix, "macro", empty))
    for name in ("iou", "dice"):
        np.testing.assert_array_equal(getattr(summary, f"micro_{name}"), SCORES[name](matrix, "micro", empty))
        images = per_image(SCORES[name], prediction, target, classes, ignore_index=ignore, empty=empty)
        valid = images[~np.isnan(images)]
        assert summary.images_counted == len(valid)
        got = getattr(summary, f"image_{name}")
        assert (
            math.isnan(got)
            if len(valid) == 0
            else abs(got - math.fsum(valid) / len(valid)) <= gamma(len(valid) + 2, np.float64)
        )
    np.testing.assert_array_equal(summary.pixel_accuracy, pixel_accuracy(matrix, empty))
    assert summary.n_images == len(target)
    assert summary.n_pixels == (target.size if ignore is None else int((target != ignore).sum()))
    assert summary.classes_counted == (np.count_nonzero(matrix.sum(0) + matrix.sum(1)) if empty == "nan" else classes)


def test_a_stack_of_matrices_is_scored_one_by_one():
    stack = np.stack([MATRIX, MATRIX.T * 2, np.eye(3, dtype=int)]).reshape(3, 1, 3, 3)
    assert iou(stack).shape == (3, 1, 3)
    assert iou(stack, "macro").shape == pixel_accuracy(stack).shape == (3, 1)
    for place in range(3):
        assert precision(stack, "macro")[place, 0] == precision(stack[place, 0], "macro")
        assert recall(stack, "micro")[place, 0] == recall(stack[place, 0], "micro")


def test_bool_masks_are_classes_0_and_1_and_inputs_stay():
    target, prediction = TARGET == 1, PREDICTION == 1
    before = target.copy(), prediction.copy()
    np.testing.assert_array_equal(confusion_matrix(prediction, target, 2), [[4, 1], [1, 2]])
    np.testing.assert_array_equal(confusion_matrix(prediction[:, ::-1], target[:, ::-1], 2), [[4, 1], [1, 2]])
    np.testing.assert_array_equal(target, before[0])
    np.testing.assert_array_equal(prediction, before[1])


def test_a_summary_goes_into_a_json_file_and_a_reset_forgets():
    metrics = Metrics(4)
    metrics.update(PREDICTION, TARGET)
    numbers = metrics.compute().as_dict()
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    assert numbers["iou"] == [0.5, 0.5, 1 / 3, None]
    assert numbers["matrix"][2] == [1, 0, 1, 0]
    assert (numbers["n_images"], numbers["n_pixels"], numbers["classes_counted"]) == (1, 8, 3)
    metrics.reset()
    assert metrics.compute().n_images == 0
    assert math.isnan(metrics.compute().mean_iou)


def test_a_summary_is_not_changed_by_later_updates():
    metrics = Metrics(3)
    metrics.update(PREDICTION, TARGET)
    summary = metrics.compute()
    metrics.update(PREDICTION, TARGET)
    np.testing.assert_array_equal(summary.matrix, MATRIX)
    np.testing.assert_array_equal(metrics.compute().matrix, 2 * MATRIX)


# What is refused


def test_a_channel_axis_is_recognised_on_either_side():
    ids = np.zeros((2, 3, 4), int)
    with pytest.raises(
        ShapeError,
        match=r"expected shape \(2, 1, 3, 4\), .*drop the channel axis of target: target\[:, 0\], got shape \(2, 3, 4\)",
    ):
        confusion_matrix(ids, ids[:, None], 2)
    with pytest.raises(ShapeError, match=r"drop the channel axis of prediction: prediction\[:, 0\], got shape \(2, 1, 3, 4\)"):
        confusion_matrix(ids[:, None], ids, 2)
    with pytest.raises(
        ShapeError,
        match=r"confusion_matrix: prediction: expected shape \(2, 3, 4\), the shape of target, got shape \(2, 4, 3\)$",
    ):
        confusion_matrix(ids.transpose(0, 2, 1), ids, 2)


def test_floats_and_other_things_are_refused_with_advice():
    with pytest.raises(
        DTypeError, match=r"prediction: expected integer class ids: threshold probabilities .* argmax\(axis=1\) .* got float32"
    ):
        confusion_matrix(PREDICTION.astype(np.float32), TARGET, 3)
    with pytest.raises(DTypeError, match=r"target: expected integer class ids: .* got float64"):
        confusion_matrix(PREDICTION, TARGET / 1, 3)
    with pytest.raises(ArgumentTypeError, match="target: expected a NumPy array of class ids, got list"):
        confusion_matrix(PREDICTION, TARGET.tolist(), 3)


def test_ids_out_of_range_are_named_with_their_position():
    with pytest.raises(IndexRangeError, match=r"confusion_matrix: target: expected class ids 0\.\.1, got 2 at \(1, 0\)$"):
        confusion_matrix(PREDICTION, TARGET, 2)
    with pytest.raises(IndexRangeError, match=r"prediction: expected class ids 0\.\.2, got -1 at \(0, 0\)$"):
        confusion_matrix(PREDICTION - 1, TARGET, 3)
    with pytest.raises(IndexRangeError, match=r"prediction: .* got 255 at \(0, 0\)"):
        confusion_matrix((PREDICTION - 1).astype(np.uint8), TARGET, 3)


def test_ignored_pixels_may_hold_anything_but_others_may_not():
    target, prediction = TARGET.copy(), PREDICTION.copy()
    target[0, 0] = 255
    prediction[0, 0] = 99
    want = MATRIX.copy()
    want[0, 0] -= 1
    np.testing.assert_array_equal(confusion_matrix(prediction, target, 3, ignore_index=255), want)
    prediction[1, 1] = 255
    with pytest.raises(IndexRangeError, match=r"prediction: .* got 255 at \(1, 1\)"):
        confusion_matrix(prediction, target, 3, ignore_index=255)


def test_a_mask_of_0_and_255_is_recognised():
    target = np.array([[0, 255], [255, 0]], np.uint8)
    with pytest.raises(
        IndexRangeError,
        match=r"target: expected class ids 0\.\.1, got 255 at \(0, 1\); it looks like a 0/255 mask: divide it by 255",
    ):
        confusion_matrix(np.zeros((2, 2), int), target, 2)
    target[0, 0] = 7
    with pytest.raises(IndexRangeError, match=r"got 7 at \(0, 0\)$"):
        confusion_matrix(np.zeros((2, 2), int), target, 2)


def test_other_arguments_are_checked():
    with pytest.raises(ArgumentError, match="confusion_matrix: num_classes: expected at least 1, got 0"):
        confusion_matrix(PREDICTION, TARGET, 0)
    with pytest.raises(MemoryError, match="confusion_matrix"):
        confusion_matrix(PREDICTION, TARGET, 10**9)
    with pytest.raises(ArgumentError, match=r"iou: average: expected one of \(None, 'macro', 'micro'\), got 'mean'"):
        iou(MATRIX, "mean")
    with pytest.raises(ArgumentError, match=r"dice: empty: expected one of \('nan', 'zero', 'one', 'raise'\), got 0"):
        dice(MATRIX, empty=0)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="Metrics: empty: expected one of"):
        Metrics(2, empty="skip")
    with pytest.raises(ShapeError, match=r"recall: matrix: expected shape \(\.\.\., C, C\), got shape \(3, 2\)"):
        recall(MATRIX[:, :2])
    with pytest.raises(
        DTypeError, match="precision: matrix: expected integer counts, as confusion_matrix returns, got float64"
    ):
        precision(MATRIX / 8)
    with pytest.raises(ShapeError, match=r"per_image: target: expected shape \(N, H, W\), got shape \(2, 4\)"):
        per_image(iou, PREDICTION, TARGET, 3)
    with pytest.raises(ShapeError, match=r"Metrics: target: expected shape \(N, H, W\) or \(H, W\), got shape \(8,\)"):
        Metrics(3).update(PREDICTION.ravel(), TARGET.ravel())


def test_a_refused_batch_leaves_the_accumulator_as_it_was():
    metrics = Metrics(3)
    metrics.update(PREDICTION, TARGET)
    before = repr(metrics.compute())
    wrong = np.stack([TARGET, TARGET + 1])  # the first image is fine
    with pytest.raises(IndexRangeError, match=r"Metrics: target: expected class ids 0\.\.2, got 3 at \(1, 1, 0\)"):
        metrics.update(np.stack([PREDICTION, PREDICTION]), wrong)
    assert repr(metrics.compute()) == before


def test_raise_speaks_when_the_scores_are_asked_for():
    metrics = Metrics(4, empty="raise")
    metrics.update(PREDICTION, TARGET)
    with pytest.raises(DataError, match=r"iou: empty: .* got none at index \(3,\)"):
        metrics.compute()
