"""Where convolution differs from PyTorch on purpose, and that PyTorch still differs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as TF

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ShapeError


@pytest.mark.spec("conv2d.nonfinite")
def test_padding_is_never_multiplied():
    """PyTorch's dense convolution multiplies padded zeros with weights of inf; rawseg skips them, as its depthwise one does."""
    weight = torch.ones(2, 1, 3, 3)
    weight[0, 0, 0, 0] = torch.inf  # of the tap above and to the left
    assert TF.conv2d(torch.ones(1, 1, 3, 3), weight[:1], padding=1)[0, 0, 0].isnan().all()
    depthwise = TF.conv2d(torch.ones(1, 2, 3, 3), weight, padding=1, groups=2)
    assert depthwise[0, 0, 0].tolist() == [4, 6, 4]
    got = F.conv2d(rawseg.ones(1, 1, 3, 3), weight[:1].numpy(), padding=1)
    assert got.numpy()[0, 0, 0].tolist() == [4, 6, 4]
    assert got.numpy()[0, 0].tolist() == depthwise[0, 0].tolist()


@pytest.mark.spec("conv2d.domain")
def test_channels_are_at_least_one():
    """PyTorch convolves images without channels and invents an output channel count of 0; rawseg refuses."""
    assert TF.conv2d(torch.ones(1, 0, 4, 4), torch.ones(1, 0, 2, 2)).shape == (1, 0, 3, 3)
    with pytest.raises(ShapeError, match="conv2d: input: expected at least 1 along C, got 0"):
        F.conv2d(rawseg.ones(1, 0, 4, 4), rawseg.ones(1, 0, 2, 2))


@pytest.mark.spec("conv_transpose2d.output")
def test_an_output_has_rows_and_columns():
    """PyTorch returns an empty Tensor for some float32 batches whose output would have no row; rawseg always raises."""
    x, weight = torch.ones(2, 1, 1, 3), torch.ones(1, 1, 2, 2)
    assert TF.conv_transpose2d(x, weight, padding=(1, 0)).shape == (2, 1, 0, 4)
    with pytest.raises(RuntimeError, match="Output size is too small"):
        TF.conv_transpose2d(x.double(), weight.double(), padding=(1, 0))
    for dtype in ("float32", "float64"):
        with pytest.raises(ShapeError, match="padding: expected an output height of at least 1, got 0"):
            F.conv_transpose2d(rawseg.ones(2, 1, 1, 3, dtype=dtype), rawseg.ones(1, 1, 2, 2, dtype=dtype), padding=(1, 0))


@pytest.mark.spec("conv_transpose2d.output_size")
def test_an_output_size_with_another_batch():
    """PyTorch's layer ignores batch and channels of a four-dimensional output_size; rawseg refuses those that do not match."""
    x = torch.ones(1, 1, 3, 3)
    assert torch.nn.ConvTranspose2d(1, 1, 3, 2)(x, output_size=(7, 99, 8, 7)).shape == (1, 1, 8, 7)
    with pytest.raises(ArgumentError, match="output_size"):
        rawseg.nn.ConvTranspose2d(1, 1, 3, 2)(rawseg.Tensor(x.numpy()), output_size=(7, 99, 8, 7))


@pytest.mark.spec("all.integers")
def test_pairs_have_two_numbers():
    """PyTorch takes tuples of one number for both sides; rawseg wants a number or a pair."""
    assert TF.conv2d(torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2), stride=(2,)).shape == (1, 1, 2, 2)
    with pytest.raises(ArgumentError, match="stride: expected an int or a pair"):
        F.conv2d(rawseg.ones(1, 1, 4, 4), rawseg.ones(1, 1, 2, 2), stride=(2,))


@pytest.mark.spec("all.tensor-cores")
def test_products_on_a_gpu_are_not_rounded_unless_asked():
    """PyTorch lets cuDNN round what float32 convolutions multiply to TF32 by default; rawseg rounds nothing unless told."""
    assert torch.backends.cudnn.allow_tf32
    assert rawseg.get_tensor_core_precision() == "fp32"
