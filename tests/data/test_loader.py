"""Batches: the same for any number of threads, errors in their place, and no thread left behind."""

from __future__ import annotations

import re
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg.data import Compose, Crops, ElasticDeform, Flip, Loader, Rotate, ScaleCrop
from rawseg.data.dataset import sample_rng
from rawseg.data.instances import target_of
from rawseg.data.loader import THREADS
from rawseg.errors import ArgumentError, ArgumentTypeError, DataError


class Numbers:
    """Sample i is full of i; a sample may sleep or fail first."""

    def __init__(self, count, before=lambda index: None):
        self.count, self.before = count, before

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        self.before(index)
        return np.full((1, 2, 3), index, np.float32), np.full((2, 3), index, np.int64)


def order_of(batches):
    return [int(mask[0, 0]) for _, masks in batches for mask in masks]


def loader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(THREADS)]


@pytest.fixture(autouse=True)
def _no_thread_outlives_a_test():
    assert not loader_threads()
    yield
    assert not loader_threads()


def test_batches_without_shuffling():
    loader = Loader(Numbers(7), 3, shuffle=False)
    batches = list(loader)
    assert len(loader) == len(batches) == 3
    assert [images.shape for images, _ in batches] == [(3, 1, 2, 3), (3, 1, 2, 3), (1, 1, 2, 3)]
    assert [masks.shape for _, masks in batches] == [(3, 2, 3), (3, 2, 3), (1, 2, 3)]
    assert all(images.dtype == np.float32 and masks.dtype == np.int64 for images, masks in batches)
    assert all(images.flags.c_contiguous and masks.flags.c_contiguous for images, masks in batches)
    assert order_of(batches) == list(range(7))
    np.testing.assert_array_equal(batches[1][0][:, 0, 0, 0], [3, 4, 5])


def test_drop_last():
    loader = Loader(Numbers(7), 3, shuffle=False, drop_last=True)
    assert len(loader) == 2
    assert order_of(loader) == list(range(6))


@given(st.integers(1, 30), st.integers(1, 9), st.sampled_from([0, 1, 3]), st.booleans(), st.integers(0, 2**32 - 1))
def test_every_sample_comes_once_an_epoch_and_resuming_continues_exactly(count, batch_size, workers, drop_last, seed):
    if drop_last:
        batch_size = min(batch_size, count)
    loader = Loader(Numbers(count), batch_size, seed=seed, workers=workers, drop_last=drop_last)
    order = order_of(loader.iterate(3))
    assert len(set(order)) == len(order) == (count // batch_size * batch_size if drop_last else count)
    assert order == loader.order(3)[: len(order)]
    for start in {0, len(loader) // 2, len(loader)}:
        assert order_of(loader.iterate(3, start)) == order[start * batch_size :]


def test_the_order_depends_on_seed_and_epoch_and_iterating_does_not_advance_it():
    loader = Loader(Numbers(20), 6, seed=1)
    first = order_of(loader)
    assert order_of(loader) == first == order_of(loader.iterate(0))
    loader.set_epoch(1)
    second = order_of(loader)
    assert second != first
    assert second == order_of(loader.iterate(1))
    assert order_of(Loader(Numbers(20), 6, seed=2)) != first
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != sample_rng(1, 0, 0).permutation(20).tolist()  # the order has a stream of its own


AUGMENT = Compose([ScaleCrop((24, 17), (0.7, 1.4)), Rotate(40), ElasticDeform(3.0), Flip(True, True)])


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_bits_do_not_depend_on_the_workers_nor_on_timing(workers):
    noise = np.random.default_rng(0)
    image, mask = noise.random((2, 40, 50), np.float32), noise.integers(0, 5, (40, 50))

    def slow_sometimes(image, mask, rng):
        time.sleep(0.004 if int(image[0, 0, 0] * 1e6) % 3 == 0 else 0)  # batches finish out of order
        return AUGMENT(image, mask, rng)

    crops = Crops(image, mask, 30, 13)
    for epoch in (0, 5):
        want = list(Loader(crops, 3, AUGMENT, seed=7, workers=0).iterate(epoch))
        got = list(Loader(crops, 3, slow_sometimes, seed=7, workers=workers).iterate(epoch))
        assert len(got) == len(want) == 5
        for (got_images, got_masks), (want_images, want_masks) in zip(got, want):
            assert got_images.tobytes() == want_images.tobytes()
            assert got_masks.tobytes() == want_masks.tobytes()


def test_a_sample_is_the_same_in_any_batch():
    crops = Crops(np.random.default_rng(0).random((1, 40, 50), np.float32), np.zeros((40, 50), int), 30, 12)
    one, other = Loader(crops, 3, AUGMENT, seed=7), Loader(crops, 5, AUGMENT, seed=7, shuffle=False)
    one = dict(zip(one.order(2), np.concatenate([images for images, _ in one.iterate(2)])))
    other = dict(zip(other.order(2), np.concatenate([images for images, _ in other.iterate(2)])))
    for index in range(12):
        np.testing.assert_array_equal(one[index], other[index])


def test_batches_are_prepared_ahead_but_not_without_limit():
    started = []
    loader = Loader(Numbers(100, started.append), 1, shuffle=False, workers=2)
    batches = loader.iterate(0)
    assert started == []  # nothing runs before the first batch is asked for
    next(batches)
    until = time.monotonic() + 5
    while len(started) < 3 and time.monotonic() < until:
        time.sleep(0.001)  # until the threads have begun
    time.sleep(0.02)  # a chance to run too far ahead, if anything let them
    assert len(started) == 3  # the one that was handed out, and one ahead for each worker
    batches.close()


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_an_error_surfaces_at_its_own_batch_with_the_sample(workers):
    def fail(index):
        if index == 7:
            raise RuntimeError("disk on fire")

    got = []
    batches = Loader(Numbers(12, fail), 3, shuffle=False, workers=workers).iterate(4)
    with pytest.raises(RuntimeError, match="disk on fire") as caught:
        got.extend(masks[:, 0, 0].tolist() for _, masks in batches)
    assert got == [[0, 1, 2], [3, 4, 5]]
    assert caught.value.__notes__ == ["while loading sample 7 of epoch 4"]
    assert not loader_threads()


def test_threads_end_when_the_iteration_is_abandoned():
    loader = Loader(Numbers(50, lambda index: time.sleep(0.001)), 2, workers=4)  # slow: threads are still at work
    for _ in loader:
        assert len(loader_threads()) >= 1
        break
    assert not loader_threads()
    batches = iter(loader)
    next(batches)
    assert loader_threads()
    del batches
    assert not loader_threads()


def test_threads_end_when_the_loop_is_interrupted():
    def interrupted_loop():
        for _ in Loader(Numbers(50), 2, workers=4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_loop()


def test_an_abandoned_iterator_may_be_collected_in_one_of_its_own_threads():
    keeper = []

    def drop(index):
        if index == 3:
            handed_out.wait(5)
            keeper.clear()

    handed_out = threading.Event()
    loader = Loader(Numbers(8, drop), 1, shuffle=False, workers=1)
    keeper.append(iter(loader))
    for _ in range(3):
        next(keeper[0])
    handed_out.set()  # sample 3 is being loaded, and drops the iterator from inside its thread
    until = time.monotonic() + 5
    while loader_threads() and time.monotonic() < until:
        time.sleep(0.001)  # until the thread that drops the iterator has ended; if it never does, the next line fails
    assert not loader_threads()


def test_two_iterations_at_once_do_not_disturb_each_other():
    loader = Loader(Numbers(9), 2, seed=3)
    pairs = list(zip(loader.iterate(0), loader.iterate(1)))
    assert order_of([one for one, _ in pairs]) == loader.order(0)
    assert order_of([other for _, other in pairs]) == loader.order(1)


class Ragged(Numbers):
    def __getitem__(self, index):
        return np.zeros((1, 2, 3 + index // 2), np.float32), np.zeros((2, 3 + index // 2), np.int64)


@pytest.mark.parametrize("workers", [0, 2])
def test_mixed_sizes_are_refused_with_advice(workers):
    message = (
        r"Loader: batch: expected samples of one shape .* crop them \(ScaleCrop\) .* or use batch_size=1, "
        r"got image shapes \(1, 2, 3\), \(1, 2, 4\)"
    )
    with pytest.raises(DataError, match=message):
        list(Loader(Ragged(4), 4, workers=workers))
    assert len(list(Loader(Ragged(4), 1, workers=workers))) == 4
    assert [images.shape[-1] for images, _ in Loader(Ragged(4), 2, shuffle=False, workers=workers)] == [3, 4]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda image, mask, rng: (image.astype(np.float64), mask),
        lambda image, mask, rng: (image, mask.astype(np.uint8)),
        lambda image, mask, rng: (image[0], mask),
        lambda image, mask, rng: (image, mask.T),
    ],
)
def test_a_transform_that_returns_something_else_is_told_so(wrong):
    expected = r"a float32 image \(C, H, W\) and an int64 mask \(H, W\), a label, a float32 image, or instances with masks"
    with pytest.raises(DataError, match=rf"^Loader: sample 0: expected {expected}, got (float32|float64) \(.* and u?int"):
        list(Loader(Numbers(2), 2, wrong, shuffle=False))


class Objects(Numbers):
    """Sample i is 2 + i pixels high and has i instances, each a column."""

    def __getitem__(self, index):
        masks = np.zeros((index, 2 + index, 5), bool)
        for i in range(index):
            masks[i, :, i] = True
        image = np.full((1, 2 + index, 5), index, np.float32)
        return image, target_of(np.arange(1, index + 1), masks, range(index), index)


@pytest.mark.parametrize("workers", [0, 2])
def test_instances_come_in_lists_and_keep_their_sizes(workers):
    batches = list(Loader(Objects(5), 2, shuffle=False, workers=workers))
    assert [[image.shape for image in images] for images, _ in batches] == [
        [(1, 2, 5), (1, 3, 5)],
        [(1, 4, 5), (1, 5, 5)],
        [(1, 6, 5)],
    ]
    assert all(type(images) is type(targets) is list for images, targets in batches)
    found = [target for _, targets in batches for target in targets]
    assert [target["image_id"] for target in found] == [0, 1, 2, 3, 4]
    assert [target["labels"].tolist() for target in found] == [[], [1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]
    for index, target in enumerate(found):
        np.testing.assert_array_equal(target["masks"], Objects(5)[index][1]["masks"])


def test_a_transform_of_instances_draws_from_the_samples_own_stream():
    def remember(image, target, rng):
        return image, {**target, "drawn": rng.random()}

    def drawn(workers, batch_size, epoch):
        loader = Loader(Objects(6), batch_size, remember, seed=4, workers=workers)
        return {target["image_id"]: target["drawn"] for _, targets in loader.iterate(epoch) for target in targets}

    assert drawn(0, 2, 1) == drawn(3, 4, 1) == {index: sample_rng(4, 1, index).random() for index in range(6)}
    assert drawn(0, 2, 1) != drawn(0, 2, 2)


@pytest.mark.parametrize(
    "masks",
    [np.zeros((1, 5, 2), bool), np.zeros((1, 3, 5), bool), np.zeros((2, 5), bool), np.zeros((1, 2, 5), np.uint8), [[[True]]]],
    ids=["turned", "higher", "flat", "bytes", "list"],
)
def test_instances_whose_masks_do_not_fit_the_image_are_told(masks):
    loader = Loader(Objects(2), 2, lambda image, target, rng: (image, {**target, "masks": masks}), shuffle=False)
    got = re.escape("dict ['boxes', 'ids', 'image_id', 'labels', 'masks']")
    with pytest.raises(DataError, match=rf"Loader: sample 0: .*, got float32 \(1, 2, 5\) and {got}"):
        list(loader)


def test_instances_without_masks_are_told():
    with pytest.raises(DataError, match=r"Loader: sample 0: .*, got float32 \(1, 2, 5\) and dict \['boxes'\]"):
        list(Loader(Objects(2), 2, lambda image, target, rng: (image, {"boxes": target["boxes"]}), shuffle=False))


def test_arguments_are_checked():
    numbers = Numbers(4)
    with pytest.raises(ArgumentError, match="Loader: batch_size: expected at least 1, got 0"):
        Loader(numbers, 0)
    with pytest.raises(ArgumentTypeError, match="Loader: workers: expected an int, got True"):
        Loader(numbers, 1, workers=True)
    with pytest.raises(ArgumentError, match="Loader: seed: expected at least 0, got -1"):
        Loader(numbers, 1, seed=-1)
    with pytest.raises(ArgumentError, match="Loader: seed: expected less than 4294967296, got 4294967296"):
        Loader(numbers, 1, seed=2**32)
    with pytest.raises(
        ArgumentError, match=r"Loader: dataset: expected at least 5 samples \(batch_size=5, drop_last=True\), got 4"
    ):
        Loader(numbers, 5, drop_last=True)
    with pytest.raises(ArgumentError, match="Loader: dataset: expected at least 1 samples"):
        Loader(Numbers(0), 1)
    loader = Loader(numbers, 3)
    with pytest.raises(ArgumentError, match="Loader: epoch: expected at least 0, got -1"):
        loader.set_epoch(-1)
    with pytest.raises(ArgumentTypeError, match=r"Loader: epoch: expected an int, got 0\.5"):
        loader.iterate(0.5)  # type: ignore[arg-type] # at once, not at the first batch
    with pytest.raises(ArgumentError, match="Loader: start_batch: expected at most 2, the number of batches, got 3"):
        loader.iterate(0, 3)
    with pytest.raises(ArgumentError, match="Loader: start_batch: expected at least 0, got -1"):
        loader.iterate(0, -1)
