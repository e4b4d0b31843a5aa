"""What an exported file is called and says, and what is refused before anything is written."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import numpy as np
import pytest
from exported_networks import Applied, checker, difference, onnxruntime, run, trained

import rawseg
from rawseg import functional as F
from rawseg import models, nn, onnx
from rawseg.autograd import Function
from rawseg.autograd.grad_mode import modes
from rawseg.errors import ArgumentError, ArgumentTypeError, BackendError, DataError, DTypeError, GraphError, ShapeError
from rawseg.onnx.exporting import checking, model_builder
from rawseg.onnx.exporting.translations import activations

IMAGE = np.random.default_rng(0).random((2, 1, 8, 8), np.float32)


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        return x**3

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Square(Cube):
    @staticmethod
    def forward(ctx, x):
        return x**2


class Inner(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Outer(nn.Module):
    """A convolution and a function, in a list below a name."""

    def __init__(self, *functions):
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3)
        self.rest = nn.ModuleList([Inner(function) for function in functions])

    def forward(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x


def small_unet():
    rawseg.manual_seed(0)
    return trained(models.build("unet", width=4, depth=2))


# names


def test_weights_keep_their_names_and_nodes_have_the_path_of_their_module():
    model = small_unet()
    file = onnx.export(model, IMAGE)
    weights = {one.name for one in file.graph.initializer if not one.name.startswith("constant_")}
    assert weights == {name for name in model.state_dict() if not name.endswith("num_batches_tracked")}
    first = file.graph.node[0]
    assert (first.op_type, first.name) == ("Conv", "/encoder.0/conv1/Conv")
    assert list(first.input) == ["input", "encoder.0.conv1.weight"]
    assert {one.name for one in file.graph.output} == {"output"}
    assert len({node.name for node in file.graph.node}) == len(file.graph.node)


def test_equal_operations_of_a_module_are_numbered():
    file = onnx.export(Applied(lambda x: (x + 1) * (x + 2)), IMAGE)
    assert [node.name for node in file.graph.node] == ["/Add", "/Add_1", "/Mul"]


def test_inputs_and_outputs_have_the_names_that_are_asked_for():
    model = Applied(lambda x, y: (x + y, [x - y, x * y]))
    file = onnx.export(model, (IMAGE, IMAGE + 1), input_names=["a", "b"], output_names=["sum", "difference", "product"])
    assert [one.name for one in file.graph.input] == ["a", "b"]
    assert [one.name for one in file.graph.output] == ["sum", "difference", "product"]
    plain = onnx.export(model, (IMAGE, IMAGE + 1))
    assert [one.name for one in (*plain.graph.input, *plain.graph.output)] == [
        *("input_0", "input_1", "output_0", "output_1", "output_2")
    ]


def test_keys_of_a_dictionary_are_the_outputs_names():
    file = onnx.export(Applied(lambda x: {"mask": x * 2, "score": x.mean()}), IMAGE)
    assert [one.name for one in file.graph.output] == ["mask", "score"]


def test_sizes_that_vary_have_names():
    file = onnx.export(small_unet(), IMAGE, dynamic_batch=True, dynamic_size=True)
    shapes = [
        [d.dim_param or d.dim_value for d in one.type.tensor_type.shape.dim] for one in (*file.graph.input, *file.graph.output)
    ]
    assert shapes == [["batch", 1, "height", "width"], ["batch", 2, "height", "width"]]


def test_the_file_says_who_wrote_it_and_how_to_build_its_network():
    model = small_unet()
    file = onnx.export(model, IMAGE)
    about = {one.key: one.value for one in file.metadata_props}
    assert (file.producer_name, file.producer_version) == ("rawseg", rawseg.__version__)
    assert file.doc_string == f"UNet, written by rawseg {rawseg.__version__}"
    assert about["model"] == file.graph.name == "unet"
    assert json.loads(about["config"]) == model.config
    plain = onnx.export(Applied(F.relu), IMAGE)
    assert plain.graph.name == "Applied"
    assert not plain.metadata_props


def test_equal_networks_have_equal_bytes(tmp_path):
    first = onnx.export(small_unet(), IMAGE, tmp_path / "a.onnx", dynamic_batch=True)
    onnx.export(small_unet(), IMAGE, tmp_path / "b.onnx", dynamic_batch=True)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes() == first.SerializeToString()


def test_a_weight_with_two_names_is_stored_once_and_an_unused_one_not_at_all():
    model = Outer()
    model.tied, model.unused = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)
    model.tied.weight = model.first.weight
    file = onnx.export(model, IMAGE)
    assert {one.name for one in file.graph.initializer} == {"first.weight", "first.bias"}


def test_the_oldest_and_the_newest_operator_set_are_taken_and_others_refused():
    newest = onnx_versions()
    for opset in (11, newest):
        file = onnx.export(Applied(F.relu), IMAGE, opset=opset)
        assert file.opset_import[0].version == opset
        checker.check_model(file, full_check=True)
    for opset in (10, newest + 1):
        with pytest.raises(ArgumentError, match=f"opset: expected 11 to {newest}, .*, got {opset}"):
            onnx.export(Applied(F.relu), IMAGE, opset=opset)


def onnx_versions():
    from onnx import defs

    return defs.onnx_opset_version()


# what cannot be written down


def test_an_array_that_numpy_computed_is_refused_and_its_module_named():
    model = Outer(F.relu, lambda x: x * rawseg.tensor(x.numpy().mean((2, 3), keepdims=True)))
    with pytest.raises(GraphError, match=r"rest\.1: expected constants that no input changes .*shape \(2, 2, 1, 1\)"):
        onnx.export(model, IMAGE)


def test_a_number_that_python_took_out_is_refused_too():
    model = Outer(lambda x: x / float(x.numpy().max()))
    with pytest.raises(GraphError, match=r"rest\.0: expected constants that no input changes"):
        onnx.export(model, IMAGE)


def test_an_index_that_numpy_computed_is_refused():
    model = Outer(lambda x: x[:, :, np.argsort(x.numpy().mean((0, 1, 3)))])
    with pytest.raises(GraphError, match=r"rest\.0, GetItem: expected arguments that are the same for every input"):
        onnx.export(model, IMAGE)


def test_a_decision_by_value_is_refused():
    model = Outer(lambda x: F.relu(x) if x.numpy()[0, 0, 0, 0] == START else F.tanh(x))
    START = model.first(rawseg.tensor(IMAGE)).numpy()[0, 0, 0, 0]
    with pytest.raises(GraphError, match=r"rest\.0: expected the same operations for every input .*, got relu, then tanh"):
        onnx.export(model, IMAGE)
    model = Outer(lambda x: F.relu(x) if x.numpy()[0, 0, 0, 0] == START else x)
    START = model.first(rawseg.tensor(IMAGE)).numpy()[0, 0, 0, 0]
    with pytest.raises(GraphError, match=r"rest\.0: expected the same operations .*, got 2 operations, then 1"):
        onnx.export(model, IMAGE)


def test_a_constant_is_no_reason_to_refuse():
    weights = np.linspace(0, 1, 6, dtype=np.float32)
    model = Outer(lambda x: x * rawseg.tensor(weights))
    file = onnx.export(model, IMAGE)
    (found,) = run(file, IMAGE)
    assert difference(found, model(rawseg.tensor(IMAGE)).numpy()) <= 1e-6  # one product behind nine terms


def test_a_constant_of_one_number_grows_with_the_input_and_another_is_refused():
    file = onnx.export(Applied(lambda x: x + rawseg.full((x.shape[0], 1, 1, 8), 2.0)), IMAGE, dynamic_batch=True, verify=True)
    more = np.concatenate([IMAGE, IMAGE, IMAGE])
    assert np.array_equal(run(file, more)[0], more + 2)
    with pytest.raises(GraphError, match=r"expected constants that no input changes .*shape \(2,\)"):
        onnx.export(Applied(lambda x: x + rawseg.arange(float(x.shape[0])).reshape(-1, 1, 1, 1)), IMAGE, dynamic_batch=True)


def test_all_unknown_operations_are_named_with_their_modules(tmp_path):
    model = Outer(Cube.apply, lambda x: Square.apply(Cube.apply(x)))
    with pytest.raises(GraphError, match=r"got Cube \(in rest\.0, rest\.1\); Square \(in rest\.1\)$"):
        onnx.export(model, IMAGE, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_an_unknown_operation_that_no_output_needs_is_left_out():
    file = onnx.export(Applied(lambda x: (Cube.apply(x), x + 1)[1]), IMAGE)
    assert [node.op_type for node in file.graph.node] == ["Add"]


def test_a_loss_in_training_is_unknown():
    model = Applied(lambda x: F.binary_cross_entropy_with_logits(x, rawseg.tensor(np.ones(IMAGE.shape, np.float32))))
    with pytest.raises(
        GraphError, match=r"operations that have a translation to ONNX, got LogitCrossEntropy \(in the model itself\)"
    ):
        onnx.export(model, IMAGE)


def test_assignment_to_a_part_is_refused():
    def assigned(x):
        y = x * 2
        y[:, :1] = x[:, :1]
        return y

    with pytest.raises(GraphError, match=r"rest\.0: expected assignment to all elements of a Tensor"):
        onnx.export(Outer(assigned), IMAGE)


def test_a_change_that_another_name_sees_is_refused():
    def through_a_view(x):
        y = x * 2
        y.reshape(-1).mul_(2.0)
        return y

    with pytest.raises(GraphError, match=r"Tensors that are not changed through a view or another name"):
        onnx.export(Outer(through_a_view), IMAGE)


def test_a_network_that_counts_its_calls_is_refused():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", rawseg.zeros(1))

        def forward(self, x):
            self.calls.add_(1.0)
            return x * self.calls

    with pytest.raises(GraphError, match="parameters and buffers that a call leaves alone, got changes of calls"):
        onnx.export(Counting(), IMAGE)


def test_a_size_that_follows_the_input_in_no_simple_way_is_refused():
    model = Applied(lambda x: x.mean((2, 3)).reshape(x.shape[0] * x.shape[1]).expand(x.shape[2] ** 2, x.shape[0] * x.shape[1]))
    assert onnx.export(model, IMAGE).graph.output[0].type.tensor_type.shape.dim[0].dim_value == 64
    with pytest.raises(GraphError, match="sizes that are those of some array, or multiples of them"):
        onnx.export(model, IMAGE, dynamic_size=True)


def test_a_network_must_give_tensors():
    with pytest.raises(GraphError, match="Tensors as outputs, in tuples, lists or dictionaries, got ndarray"):
        onnx.export(Applied(lambda x: x.numpy()), IMAGE)


# files


def test_the_file_is_the_model_that_is_returned(tmp_path):
    file = onnx.export(small_unet(), IMAGE, tmp_path / "unet.onnx")
    assert (tmp_path / "unet.onnx").read_bytes() == file.SerializeToString()
    assert [path.name for path in tmp_path.iterdir()] == ["unet.onnx"]


@pytest.mark.parametrize("failing", ["check", "write"])
def test_a_file_that_is_there_survives_a_failure(tmp_path, monkeypatch, failing):
    path = tmp_path / "unet.onnx"
    path.write_bytes(b"before")

    def refuse(*_args):
        raise (GraphError if failing == "check" else OSError)("onnx.export", "model", "nothing", "a fault")

    if failing == "check":
        monkeypatch.setattr("rawseg.onnx.exporting.plain.check", refuse)
    else:
        monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(GraphError if failing == "check" else DataError):
        onnx.export(small_unet(), IMAGE, path)
    assert path.read_bytes() == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["unet.onnx"]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.*ENOENT"):
        onnx.export(Applied(F.relu), IMAGE, tmp_path / "nowhere" / "a.onnx")


def test_weights_beyond_one_file_are_refused(monkeypatch):
    monkeypatch.setattr(model_builder, "LARGEST_FILE", 2**24 + 1000)
    with pytest.raises(ArgumentError, match=r"weights of less than \d+ bytes, the most of one ONNX file, got \d+"):
        onnx.export(small_unet(), IMAGE)


# the network


def test_the_network_stays_as_it_was():
    model = small_unet().train()
    model.bottom.eval()
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    modes_before = [module.training for module in model.modules()]
    onnx.export(model, IMAGE)
    assert [module.training for module in model.modules()] == modes_before
    assert all(np.array_equal(tensor.numpy(), before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._pre_hooks or module._forward_hooks for module in model.modules())
    model(rawseg.tensor(IMAGE)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_after_a_failure_graphs_are_kept_again():
    model = Outer(lambda x: x.reshape(7))
    with pytest.raises(ShapeError, match="reshape"):
        onnx.export(model, IMAGE)
    assert modes.recorder is None
    assert not any(module._pre_hooks or module._forward_hooks for module in model.modules())
    assert rawseg.tensor([1.0], requires_grad=True).exp().requires_grad


def test_an_example_that_is_a_tensor_with_a_gradient_stays_one():
    x = rawseg.tensor(IMAGE, requires_grad=True)
    onnx.export(Applied(lambda x: x.exp()), x)
    assert x.grad is None
    assert x.requires_grad


def test_a_network_may_write_to_its_input():
    def written(x):
        x += 1
        return x * 2

    given = IMAGE.copy()
    file = onnx.export(Applied(written), given, verify=True)
    assert np.array_equal(given, IMAGE)
    assert np.array_equal(run(file, given)[0], (IMAGE + 1) * 2)


# float64


def test_float64_has_to_be_said():
    model = small_unet().double()
    wide = IMAGE.astype(np.float64)
    with pytest.raises(DTypeError, match=r"float32, or dtype='float32' to convert it .*, got float64 \(encoder"):
        onnx.export(model, wide)
    file = onnx.export(model, wide, dtype="float32", verify=True)
    assert {one.data_type for one in file.graph.initializer} <= {1, 7}  # float32 and int64
    (found,) = run(file, IMAGE)
    assert difference(found.astype(np.float64), model(rawseg.tensor(wide)).numpy()) <= 1e-5  # float32 against float64
    kept = onnx.export(model, wide, dtype="float64")
    checker.check_model(kept, full_check=True)
    assert kept.graph.input[0].type.tensor_type.elem_type == 11  # float64


def test_a_function_of_float64_runs_in_float64():
    file = onnx.export(Applied(lambda x: x * 2 + x.mean()), IMAGE.astype(np.float64), dtype="float64", verify=True)
    assert run(file, IMAGE.astype(np.float64))[0].dtype == np.float64


# arguments


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_names": ["a", "b"]}, ArgumentError, r"input_names: expected 1 names, got \['a', 'b'\]"),
        ({"input_names": "a"}, ArgumentError, "input_names: expected a list of different names, got 'a'"),
        ({"output_names": ["a", "a"]}, ArgumentError, "output_names: expected a list of different names"),
        ({"output_names": [""]}, ArgumentError, "output_names: expected a list of different names"),
        ({"output_names": ["input"]}, ArgumentError, "output_names: expected names that are neither inputs' nor parameters'"),
        ({"input_names": ["a"], "output_names": ["a"]}, ArgumentError, "output_names: expected names that no input has"),
        (
            {"input_names": ["first.bias"]},
            ArgumentError,
            r"input_names: expected names that no parameter has, got \['first.bias'\]",
        ),
        ({"dtype": "float16"}, ArgumentError, "dtype: expected None, 'float32' or 'float64', got 'float16'"),
        ({"dynamic_batch": 1}, ArgumentTypeError, "dynamic_batch: expected a bool, got 1"),
        ({"dynamic_size": None}, ArgumentTypeError, "dynamic_size: expected a bool, got None"),
        ({"verify": "yes"}, ArgumentTypeError, "verify: expected a bool, got 'yes'"),
        ({"opset": 17.0}, ArgumentTypeError, "opset: expected an int, got 17.0"),
        ({"other_x": IMAGE[:1]}, ShapeError, r"other_x\[0\]: expected shape \(2, 1, 8, 8\), got shape \(1, 1, 8, 8\)"),
        ({"other_x": (IMAGE, IMAGE)}, ArgumentError, "other_x: expected 1 inputs, as in x, got 2"),
        ({"other_x": IMAGE.astype(np.float64)}, DTypeError, r"other_x\[0\]: expected float32, as in x, got float64"),
        (
            {"other_x": IMAGE, "dynamic_batch": True},
            ShapeError,
            r"other_x\[0\]: expected another length than 2 along axis 0, then \(1, 8, 8\), got shape \(2, 1, 8, 8\)",
        ),
    ],
)
def test_arguments_outside_their_domain_are_named(options, error, message):
    with pytest.raises(error, match=rf"onnx\.export: {message}"):
        onnx.export(Outer(F.relu), IMAGE, **options)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([], ArgumentError, "x: expected at least one input, got none"),
        ("image", ArgumentTypeError, "x: expected a Tensor, an array or a tuple of them, got str"),
        (IMAGE[:0], ArgumentError, r"x\[0\]: expected at least one element, got shape \(0, 1, 8, 8\)"),
    ],
)
def test_examples_that_are_none_are_refused(x, error, message):
    with pytest.raises(error, match=rf"onnx\.export: {message}"):
        onnx.export(Outer(F.relu), x)


def test_the_model_must_be_a_module():
    with pytest.raises(ArgumentTypeError, match=r"onnx\.export: model: expected a rawseg\.nn\.Module, got function"):
        onnx.export(lambda x: x, IMAGE)


def test_an_error_of_the_network_on_the_first_example_is_its_own():
    with pytest.raises(ShapeError, match=r"^unet: input: expected shape"):
        onnx.export(small_unet(), IMAGE[0])


def test_random_numbers_that_a_network_refuses_are_blamed_on_the_missing_example():
    message = r"other_x: expected a network that takes .* if there is no other_x, got roi_align: boxes"
    with pytest.raises(ArgumentError, match=message):
        onnx.export(Applied(lambda x, b: rawseg.ops.roi_align(x, b, 2)), (IMAGE, np.array([[0, 1, 1, 3, 3]], np.float32)))


# the check of the file


def test_verify_finds_an_operator_that_computes_something_else(monkeypatch):
    monkeypatch.setitem(activations.KINDS, "relu", lambda w, step, x: w.node("LeakyRelu", x, alpha=0.01))
    file = onnx.export(Outer(F.relu), IMAGE)  # the checker cannot know
    assert file.graph.node[-1].op_type == "LeakyRelu"
    with pytest.raises(
        GraphError, match=r"output: expected differences of at most 0\.0001 of the largest number from ONNX Runtime"
    ):
        onnx.export(Outer(F.relu), IMAGE, verify=True)


class Answers:
    """ONNX Runtime's side of a comparison."""

    def __init__(self, *outputs):
        self.outputs = outputs

    def get_outputs(self):
        return [types.SimpleNamespace(name=f"output_{i}") for i in range(len(self.outputs))]

    def run(self, _names, _inputs):
        return list(self.outputs)


def test_one_pixel_that_jumps_is_a_fault_unless_the_network_unpools():
    ours = np.ones((1, 1, 20, 20), np.float32)
    theirs = ours.copy()
    theirs[0, 0, 3, 4] = 0.5
    with pytest.raises(GraphError, match=r"output_1: expected differences of at most 0\.0001 .*, got 0\.5"):
        checking.compare(Answers(ours, theirs), {}, [ours, ours])
    assert checking.compare(Answers(ours, theirs), {}, [ours, ours], jumps=True) == pytest.approx(0.5 / 400)
    with pytest.raises(GraphError, match=r"output_0: expected mean differences of at most 0\.01 .*, got 0\.5"):
        checking.compare(Answers(ours / 2), {}, [ours], jumps=True)
    with pytest.raises(
        GraphError, match=r"output_0: expected shape \(1, 1, 20, 20\) from ONNX Runtime, got shape \(1, 1, 20\)"
    ):
        checking.compare(Answers(ours[..., 0]), {}, [ours])


def test_verify_takes_the_mean_where_maxima_are_remembered(monkeypatch):
    model = Applied(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2))
    kinds = []
    monkeypatch.setattr("rawseg.onnx.exporting.plain.compare", lambda *arguments: kinds.append(arguments[3]))
    onnx.export(model, IMAGE, verify=True)
    onnx.export(Applied(F.relu), IMAGE, verify=True)
    assert kinds == [True, True, False, False]


def test_what_the_checker_refuses_is_not_returned(monkeypatch):
    monkeypatch.setitem(activations.KINDS, "relu", lambda w, step, x: w.node("Relu", x, x))
    with pytest.raises(GraphError, match=r"model: expected a model that onnx\.checker passes, got "):
        onnx.export(Outer(F.relu), IMAGE)


def test_a_shape_that_onnx_infers_otherwise_is_not_returned(monkeypatch):
    monkeypatch.setitem(activations.KINDS, "relu", lambda w, step, x: w.node("Transpose", x, perm=[1, 0, 2, 3]))
    with pytest.raises(GraphError, match=r"model: expected a model that onnx\.checker passes, got .*[Ss]hape"):
        onnx.export(Applied(F.relu), IMAGE)


def test_what_onnx_runtime_cannot_run_is_told(monkeypatch):
    def lacking(*_args, **_options):
        raise RuntimeError("no implementation of RoiAlign(22)")

    monkeypatch.setattr(onnxruntime, "InferenceSession", lacking)
    message = r"verify: expected a model that this version of ONNX Runtime runs .*, got RuntimeError: no implementation"
    with pytest.raises(GraphError, match=message):
        onnx.export(Applied(F.relu), IMAGE, verify=True)


def test_verify_without_onnxruntime_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(checking.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BackendError, match=r"verify: expected the onnxruntime package \(pip install onnxruntime\)"):
        checking.session(b"")


def test_importing_the_room_loads_no_onnx():
    script = (
        "import sys, rawseg.onnx; rawseg.onnx.export; print([m for m in sys.modules if m.split('.')[0].startswith('onnx')])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
