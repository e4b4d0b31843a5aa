"""Recording: every operation is told once, whatever it is made of, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import Applied

import rawseg
from rawseg import functional as F
from rawseg import models, nn, no_grad
from rawseg.autograd import is_grad_enabled
from rawseg.autograd.grad_mode import modes
from rawseg.autograd.recording import recording
from rawseg.onnx.exporting.agreement import agreed
from rawseg.onnx.exporting.plain import state_of
from rawseg.onnx.exporting.program import Varying
from rawseg.onnx.exporting.recording import record

X = rawseg.tensor(np.random.default_rng(0).random((2, 3, 8, 8), np.float32))


class Names:
    def __init__(self):
        self.seen = []

    def applied(self, operation, inputs, options, outputs):
        self.seen.append((getattr(operation, "name", lambda: operation.__name__)(), len(inputs), sorted(options), len(outputs)))

    def overwritten(self, tensor, index, value):
        self.seen.append(("overwritten", index, value.shape))


def names_of(function, *inputs):
    names = Names()
    with recording(names):
        function(*inputs)
    return [entry[0] for entry in names.seen]


def steps_of(model, *inputs):
    return [step.name for step in record(model, model, state_of(model), inputs)[0].steps]


def test_what_is_fused_in_one_pass_is_told_as_two_operations():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).eval()
    assert names_of(model, X) == ["Convolution", "BatchNormEvaluation", "relu"]


def test_functions_that_compute_on_arrays_are_told_as_one():
    assert names_of(lambda x: (x > 0) & ~(x < -1), X) == ["without_derivative"] * 2 + ["invert", "without_derivative"]
    assert names_of(lambda x: x.max(1), X) == ["along"]
    assert names_of(lambda x: rawseg.ops.roi_align(x, [np.zeros((0, 4), np.float32)] * 2, 2), X) == ["roi_align"]
    assert names_of(lambda x: F.grid_sample(x, rawseg.zeros(2, 1, 1, 2)), X) == ["grid_sample"]


def test_results_are_the_same_bits_and_without_a_graph():
    model = models.build("unet", in_channels=3, width=4, depth=2).eval()
    with no_grad():
        wanted = model(X).numpy()
    with recording(Names()):
        assert is_grad_enabled()
        out = model(X)
        with recording(None):
            assert rawseg.tensor([1.0], requires_grad=True).exp().requires_grad
    assert not out.requires_grad
    assert np.array_equal(out.numpy(), wanted)
    assert modes.recorder is None


def test_the_former_recorder_is_told_again_after_an_error():
    names = Names()
    with recording(names):
        with pytest.raises(ZeroDivisionError), recording(Names()):
            raise ZeroDivisionError
        X.exp()
    assert [entry[0] for entry in names.seen] == ["Exp"]


def test_changes_in_place_are_told():
    names = Names()
    with recording(names):
        y = X * 2
        y[0, 0] = 1.0
        y += 1
    assert [entry[0] for entry in names.seen] == ["Mul", "overwritten", "Add", "overwritten"]
    assert names.seen[1][1:] == ((0, 0), ())


def test_tensors_on_one_array_are_one_value():
    def several_names(x):
        y = x * 2
        return y.detach() + rawseg.Tensor(y.array)

    program = record(Applied(several_names), several_names, {}, [X])[0]
    (product, total) = program.steps
    assert [value.number for value in total.inputs] == [product.out.number] * 2


def test_a_value_that_is_gone_is_not_mistaken_for_a_later_one():
    """Arrays that are freed leave their ids to others."""

    def many(x):
        total = x
        for i in range(200):
            total = total + rawseg.tensor(np.full((1,), i, np.float32)) * (x * float(i))
        return total

    program = record(Applied(many), many, {}, [X])[0]
    constants = [value.array.item() for value in program.values if value.array is not None and value.shape == (1,)]
    assert constants == list(range(200))


def test_weights_have_their_names_and_steps_their_modules():
    model = models.build("unet", in_channels=3, width=4, depth=2).eval()
    program = record(model, model, state_of(model), [X])[0]
    assert {value.state for value in program.values} - {None} == {
        name for name in state_of(model) if not name.endswith("num_batches_tracked")
    }
    assert program.steps[0].module == "encoder.0.conv1"
    assert program.steps[-1].module == "head"


def test_what_a_module_does_after_its_children_is_its_own():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.ModuleList([nn.Conv2d(3, 3, 1)])

        def forward(self, x):
            return self.inner[0](x) + x

    model = nn.Sequential(Block(), nn.ReLU())
    program = record(model, lambda x: model(x) * 2, state_of(model), [X])[0]
    assert [step.module for step in program.steps] == ["0.inner.0", "0", "1", ""]


def test_numbers_that_differ_among_recordings_are_sizes():
    model = Applied(lambda x: x.reshape(x.shape[0], -1))
    recordings = [record(model, model, {}, [X[:n].clone()])[0] for n in (1, 2)]
    program = agreed(recordings)
    assert program.steps[0].options["shape"] == (Varying((1, 2)), -1)
    assert program.outputs[0].shape == (Varying((1, 2)), 192)


def test_segnets_indices_are_seen_though_an_inference_packs_them():
    model = models.build("segnet_basic").eval()
    image = rawseg.tensor(np.zeros((1, 3, 16, 16), np.float32))
    assert steps_of(model, image).count("MaxUnpool2d") == 4
