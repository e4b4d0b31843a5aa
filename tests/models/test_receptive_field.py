"""Receptive fields: by hand, by the papers, and against what a changed pixel really changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rawseg
from rawseg import functional as F
from rawseg import models, nn
from rawseg.models.receptive_field import EVERYTHING, rows_seen
from rawseg.models.summary import context_of


def test_by_hand():
    net = nn.Sequential(nn.Conv2d(1, 1, 3), nn.MaxPool2d(2), nn.Conv2d(1, 1, (3, 5), dilation=2))
    rows = models.summary(net, (1, 1, 32, 40))
    # 3; one more pixel beside it; then 2 * 2 and 2 * 4 more steps of 2 pixels
    assert [row.receptive_field for row in rows] == [(3, 3), (4, 4), (4 + 8, 4 + 16)]
    assert [row.stride for row in rows] == [(1, 1), (2, 2), (2, 2)]


def test_the_papers_figures():
    fields = [row.receptive_field for row in models.summary(models.context(2), (1, 2, 80, 80)) if row.kind == "Conv2d"]
    assert [field[0] for field in fields] == [3, 5, 9, 17, 33, 65, 67, 67]  # Yu and Koltun, table 1
    segnet = models.summary(models.segnet_basic(), (1, 3, 128, 128))
    deepest = [row for row in segnet if row.kind == "MaxPool2d"][-1]
    assert deepest.receptive_field == (106, 106)  # SegNet, section 3.1


def linear_layers():
    """Layers whose outputs change whenever an input that they read changes: positive weights, no ReLU."""
    sizes = st.integers(1, 3)
    conv = st.builds(
        lambda k, s, d, p: nn.Conv2d(1, 1, k, s, min(p, d * (k - 1)), d), sizes, st.integers(1, 2), sizes, st.integers(0, 2)
    )
    grow = st.builds(
        lambda k, s, p: nn.ConvTranspose2d(1, 1, k, min(s, k), min(p, k // 2)),
        st.integers(1, 4),
        st.integers(1, 3),
        st.integers(0, 2),
    )
    up = st.sampled_from([nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="bilinear")])
    return st.lists(st.one_of(conv, grow, up, st.just(nn.AvgPool2d(2))), min_size=1, max_size=4)


@given(linear_layers(), st.data())
def test_a_pixel_outside_changes_nothing_and_the_ends_of_the_interval_do(layers, data):
    net = nn.Sequential(*layers).double()
    for parameter in net.parameters():
        parameter.array = np.ones(parameter.shape)
    image = rawseg.tensor(np.ones((1, 1, 48, 48)), requires_grad=True)
    out = net(image)
    row = data.draw(st.integers(0, out.shape[2] - 1))
    first, last = (int(end[0]) for end in rows_seen(out, image, np.array([row])))
    out[0, 0, row].sum().backward()
    read = np.flatnonzero(np.abs(image.grad.numpy()[0, 0]).sum(1))
    assert set(read) <= set(range(max(first, 0), min(last, 47) + 1))
    if first >= 0 and last <= 47 and read.size:  # no border cuts it off
        assert (read[0], read[-1]) == (first, last)


def seen(out, image, row):
    first, last = rows_seen(out, image, np.array([row]))
    return int(first[0]), int(last[0])


def test_where_paths_meet_the_interval_covers_all_of_them():
    image = rawseg.tensor(np.ones((1, 1, 9, 9)), requires_grad=True)
    narrow, wide = rawseg.ones(1, 1, 3, 3, dtype="float64"), rawseg.ones(1, 1, 5, 5, dtype="float64")
    for x in (image, F.relu(image)):  # paths that meet at the image, and before it
        one, other = F.conv2d(x, narrow, padding=1), F.conv2d(x, wide, padding=2)
        for out in (one + other, other + one, rawseg.cat([other, one], 1), rawseg.cat([one, other], 1)):
            assert seen(out, image, 4) == (2, 6)
        assert seen(x[:, :, 3:] + one[:, :, :6], image, 2) == (1, 5)


def test_unpooling_by_hand():
    image = rawseg.tensor(np.arange(64.0).reshape(1, 1, 8, 8), requires_grad=True)
    pooled, indices = F.max_pool2d(image, 2, return_indices=True)
    out = F.max_unpool2d(pooled, indices, 2)
    assert [seen(out, image, row) for row in (4, 5, 6)] == [(4, 5), (4, 5), (6, 7)]


def test_context_reaches_both_ways():
    class Shifted(nn.Module):
        def __init__(self, first):
            super().__init__()
            self.conv, self.first = nn.ConvTranspose2d(1, 1, 3), first

        def forward(self, x):
            return self.conv(x)[:, :, self.first : self.first + x.shape[2], self.first : self.first + x.shape[3]]

    # row o sees the rows from o - 2 to o, from o - 1 to o + 1, from o to o + 2
    assert [context_of(Shifted(first), (9, 9), 1, 1) for first in (0, 1, 2)] == [2, 1, 2]


def test_what_sees_everything():
    image = rawseg.tensor(np.ones((1, 4, 8, 8)), requires_grad=True)
    for out in (
        image * F.adaptive_avg_pool2d(image, 1),
        F.group_norm(image, 2),
        image.permute(0, 1, 3, 2),
        image.flip(2),
        image[:, :, ::2],
    ):
        first, last = rows_seen(out, image, np.array([1]))
        assert (int(first[0]), int(last[0])) == (-EVERYTHING, EVERYTHING)
    first, last = rows_seen(image[:, :, 2:5], image, np.array([1]))
    assert (int(first[0]), int(last[0])) == (3, 3)
    assert models.deeplabv3(classes=2, backbone="mobilenet_v3_large").halo is None


def test_an_output_that_does_not_depend_on_the_image_sees_nothing():
    image = rawseg.tensor(np.ones((1, 1, 4, 4)), requires_grad=True)
    other = rawseg.tensor(np.ones((1, 1, 4, 4)), requires_grad=True)
    first, last = rows_seen(other * 2, image, np.array([1]))
    assert last[0] < first[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda: models.unet(width=2, depth=2),
        lambda: models.unet(width=6, depth=2, up="bilinear"),
        pytest.param(lambda: models.segnet_basic(classes=3), marks=pytest.mark.release),
        lambda: models.segnet_basic(classes=3, variant="fcn"),
        lambda: models.context(2, dilations=(1, 2, 4)),
    ],
)
def test_a_pixel_beyond_the_halo_changes_no_bit_and_one_within_the_reach_does(make):
    rawseg.manual_seed(0)
    net = make().eval()
    rng = np.random.default_rng(0)
    for parameter in net.parameters():  # some begin as the identity
        parameter.array = parameter.array + rng.normal(0, 0.1, parameter.shape).astype(np.float32)
    channels = net.config["in_channels"]
    side = net.input_size(2 * net.halo + 4 * net.multiple)
    reach = context_of(net, (side, side), channels, net.multiple)
    middle = side // 2 // net.multiple * net.multiple
    image = rng.random((1, channels, side, side)).astype(np.float32)

    def output(changed_row):
        x = image.copy()
        if changed_row is not None:
            x[:, :, changed_row] += 5
        with rawseg.no_grad():
            return net(rawseg.tensor(x)).numpy()[:, :, middle : middle + net.multiple]

    plain = output(None)
    assert np.array_equal(output(middle - reach - 1), plain)
    assert np.array_equal(output(middle + net.multiple - 1 + reach + 1), plain)
    near = [reach - part for part in {0, 1, net.multiple // 2, net.multiple - 1}]  # pooling hides single pixels
    rows = [row for d in near for row in (middle - d, middle + net.multiple - 1 + d)]
    assert any(not np.array_equal(output(row), plain) for row in rows)
