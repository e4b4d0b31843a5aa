"""Faults in images, masks, batches, scores and files."""

from __future__ import annotations

AUGMENT = "data/test_augment.py"
LOADER = "data/test_loader.py"
IMAGES = "data/test_images.py"
METRICS = "test_metrics.py"
FILES = "test_files.py"
SAVING = "test_serialization.py"
DAMAGE = "test_damaged_files.py"

FAULTS = [
    (
        "rawseg/labels.py",
        METRICS,
        [
            ("wrong comparison", "(ids >= num_classes)", "(ids > num_classes)"),
            ("missing step", "bad &= kept", "pass"),
        ],
    ),
    (
        "rawseg/metrics/confusion.py",
        METRICS,
        [
            (
                "flip or transposition",
                "target[kept].astype(np.int64) * num_classes + prediction[kept].astype(np.int64)",
                "prediction[kept].astype(np.int64) * num_classes + target[kept].astype(np.int64)",
            ),
            ("missing check", 'check_class_ids(op, "prediction", prediction', 'check_class_ids(op, "prediction", target'),
        ],
    ),
    (
        "rawseg/metrics/scores.py",
        METRICS,
        [
            (
                "wrong axis",
                "matrix.sum(axis=-2) - hits, matrix.sum(axis=-1) - hits",
                "matrix.sum(axis=-1) - hits, matrix.sum(axis=-2) - hits",
            ),
            ("wrong order", '"precision": (1, 1, 0)', '"precision": (1, 0, 1)'),
            ("wrong formula", '"dice": (2, 1, 1)', '"dice": (1, 1, 1)'),
            ("count", ".sum(axis=-1) / np.maximum(many, 1)", ".sum(axis=-1) / scores.shape[-1]"),
            ("missing step", "np.where(absent, EMPTY[empty], hits", "np.where(False, EMPTY[empty], hits"),
        ],
    ),
    (
        "rawseg/metrics/accumulate.py",
        METRICS,
        [
            ("= for +=", "self._matrix += matrix", "self._matrix = matrix"),
            ("shared memory", "matrix=self._matrix.copy()", "matrix=self._matrix"),
            ("wrong formula", 'evaluate(name, by_image, "macro"', 'evaluate(name, by_image, "micro"'),
        ],
    ),
    (
        "rawseg/data/augment.py",
        AUGMENT,
        [
            (
                "wrong formula",
                'map_coordinates(mask, places, order=0, mode="mirror")',
                'map_coordinates(mask, places, order=1, mode="mirror")',
            ),
            ("missing step", "return image[:, rows, columns], mask[rows, columns]", "return image[:, rows, columns], mask"),
            ("half pixel", "(np.arange(out) + offset + 0.5) / scale - 0.5", "(np.arange(out) + offset) / scale"),
            ("wrong sign", "centre_row + math.sin(angle) * right", "centre_row - math.sin(angle) * right"),
            ("height for width", "-1 if vertically and self.vertical", "-1 if horizontally and self.vertical"),
            ("off by one", "max(slack, 0) + 1))", "max(slack, 1)))"),
            ("half pixel", "(mask.shape[0] - 1) / 2,", "mask.shape[0] / 2,"),
            (
                "wrong formula",
                'map_coordinates(channel, places, order=1, mode="mirror")',
                'map_coordinates(channel, places, order=1, mode="reflect")',
            ),
        ],
    ),
    (
        "rawseg/data/loader.py",
        LOADER,
        [
            ("floor for ceil", "-(-len(self.dataset) // self.batch_size)", "len(self.dataset) // self.batch_size"),
            (
                "wrong order",
                "if len(ahead) > self.workers:\n                    yield ahead.popleft()",
                "if len(ahead) > self.workers:\n                    yield ahead.pop()",
            ),
            ("missing step", "range(start_batch * self.batch_size,", "range(0,"),
            ("missing step", "SeedSequence([self.seed, epoch]", "SeedSequence([self.seed]"),
        ],
    ),
    (
        "rawseg/data/loader.py",
        "data/test_dataset.py",
        [
            ("missing step", "sample_rng(self.seed, epoch, index)", "sample_rng(self.seed, 0, index)"),
        ],
    ),
    (
        "rawseg/data/dataset.py",
        "data/test_dataset.py",
        [
            ("off by one", "self.mask.shape[0] - height + 1)", "self.mask.shape[0] - height)"),
            ("height for width", "self.mask.shape[1] - width + 1)", "self.mask.shape[0] - width + 1)"),
        ],
    ),
    (
        "rawseg/data/images.py",
        IMAGES,
        [
            ("missing check", "PngImageFile(file).verify()", "pass"),
            ("floor for ceil", "np.rint(image * 255)", "np.floor(image * 255)"),
            ("missing step", "ImageOps.exif_transpose(image, in_place=True)", "pass"),
            ("missing step", "return ids // scale", "return ids"),
            ("missing step", "if inverted:", "if False:"),
            ("wrong comparison", "np.uint8 if high < 256 else", "np.uint8 if high <= 256 else"),
        ],
    ),
    (
        "rawseg/models/tiling.py",
        "models/test_tiling.py",
        [
            ("off by one", "period = 2 * (size - 1)", "period = 2 * size"),
        ],
    ),
    (
        "rawseg/serialization.py",
        DAMAGE,
        [
            ("missing check", "described.get(name) != _description(array)", "name not in described"),
            ("missing check", "if signed(text) != metadata.get(MANIFEST):", "if False:"),
            ("missing check", 'if manifest["format"] > FORMAT:', "if False:"),
        ],
    ),
    (
        "rawseg/serialization.py",
        SAVING,
        [
            ("wrong order", "{name: arrays[name] for name in described}", "{name: arrays[name] for name in arrays}"),
        ],
    ),
    (
        "rawseg/tensorfile.py",
        SAVING,
        [
            ("missing check", "if digest != hashlib.sha256(contents).digest():", "if False:"),
            ("missing step", "sweep_temporaries(Path", "(Path"),
        ],
    ),
    (
        "rawseg/files.py",
        FILES,
        [
            (
                "wrong order",
                "    os.fsync(file.fileno())\n            os.replace(temporary, target)",
                "    os.replace(temporary, target)\n                os.fsync(file.fileno())",
            ),
            ("missing step", "_sync_folder(target.parent)", "pass"),
            ("missing step", "os.unlink(temporary)", "pass"),
            ("missing step", "Path(os.path.realpath(path))", "Path(path)"),
            ("missing check", "if cause.errno != errno.EINVAL:", "if False:"),
        ],
    ),
    ("rawseg/files.py", SAVING, [("missing check", "return name not in _open", "return True")]),
]
