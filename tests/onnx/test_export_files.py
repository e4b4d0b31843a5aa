"""What an exported file is called and says, and how it comes to its place."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from exported_networks import IMAGE, Applied, Outer, checker, small_unet

import rawseg
from rawseg import functional as F
from rawseg import nn, onnx
from rawseg.errors import ArgumentError, DataError, GraphError
from rawseg.onnx.exporting import model_builder


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


@pytest.mark.parametrize("key", [0, "", None])
def test_keys_that_are_no_names_name_nothing(key):
    file = onnx.export(Applied(lambda x: {key: x * 2}), IMAGE)
    assert [one.name for one in file.graph.output] == ["output"]


def test_an_input_is_not_called_as_a_parameter():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.input = nn.Parameter(rawseg.ones(1))

        def forward(self, x):
            return x * self.input

    with pytest.raises(ArgumentError, match=r"input_names: expected names that no parameter has, got \['input'\]"):
        onnx.export(Scaled(), IMAGE)
    assert onnx.export(Scaled(), IMAGE, input_names=["x"]).graph.input[0].name == "x"


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


# on the disk


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
    with pytest.raises(ArgumentError, match=r"weights of at most 1000 bytes, which one ONNX file holds, got \d+"):
        onnx.export(small_unet(), IMAGE)


def test_importing_the_room_loads_no_onnx():
    script = (
        "import sys, rawseg.onnx; rawseg.onnx.export; print([m for m in sys.modules if m.split('.')[0].startswith('onnx')])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
