"""The few-label stages at tiny size, on any backend: the script of `test_engines`.

KERAS_BACKEND=jax python tests/labels/stages.py result.npz
"""

import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

from compare_gan import engine, labels, main
from compare_gan.datasets import ArraySource, Dataset, read_label_files
from compare_gan.labels.features import compute_features
from compare_gan.labels.pretext import PretextTask

_STEPS = 5
_NETWORK = labels.BackboneOptions(width=4, units=(1, 1))
_PRETEXT = labels.PretextOptions(
    training_steps=_STEPS, batch_size=8, labeled_batch_size=4, save_checkpoints_steps=2
)


def compute() -> dict[str, np.ndarray]:
    """All results by name, `/`-separated."""
    results = {}
    for supervised in (False, True):
        results |= _train(supervised)
    for name, options in (
        ("linear", labels.InferOptions(features="semi_supervised", grid=2, soft=True)),
        ("hidden", labels.InferOptions(features="untrained", grid=2, hidden=4)),
        ("clusters", labels.InferOptions(method="clustering", num_clusters=5, features="raw")),
    ):
        results |= {f"inferred/{name}/{key}": value for key, value in _infer(options)}
    return results | _command()


def _dataset() -> Dataset:
    """96 images of three classes, bright in one third each; every fourth is labelled."""
    rng = np.random.default_rng(0)
    true = np.arange(96) % 3
    images = rng.integers(0, 100, [96, 8, 8, 1], np.uint8)
    for label in range(3):
        images[true == label, 3 * label : 3 * label + 2] += 60
    source = ArraySource.from_arrays({"train": (images, true)}, num_classes=3)
    return Dataset("thirds", source, given_mask=np.arange(96) // 3 % 4 == 0)


def _train(supervised: bool) -> dict[str, np.ndarray]:
    """The course of the pretext training, and the features and classes that it leads to."""
    dataset, strategy = _dataset(), engine.make_strategy("one_device")
    backbone = labels.make_backbone(_NETWORK, (8, 8, 1), seed=3)
    start = [variable.numpy() for variable in backbone.variables]
    task = PretextTask(backbone, dataset, _PRETEXT, supervised, 5, strategy)
    with tempfile.TemporaryDirectory() as folder:
        courses = _courses(task, folder)
    features = compute_features(dataset, labels.BackboneFeatures(backbone, "block2", 2, (8, 8, 1)))
    given = dataset.given_mask
    # Without much regularization the loss is flat around its minimum.
    classifier = labels.train_classifier(
        features[given], dataset.given_labels[given], 3, strengths=[1e-2]
    )
    prefix = "semi_supervised" if supervised else "self_supervised"
    results = {f"courses/{prefix}/{name}": course for name, course in courses.items()}
    results |= {f"initial_weights/{prefix}/{i}": value for i, value in enumerate(start)}
    results[f"features/{prefix}"] = features
    results[f"probabilities/{prefix}"] = classifier.probabilities(features)
    return results


def _courses(task: PretextTask, folder: str) -> dict[str, np.ndarray]:
    """Each value at each step."""
    rows: list[dict[str, np.ndarray]] = []
    run = task._loop.run
    task._loop.run = lambda count: rows.append(run(count)) or rows[-1]
    task.train(folder)
    return {name: np.concatenate([row[name] for row in rows]) for name in task.names}


def _infer(options: labels.InferOptions) -> Iterator[tuple[str, np.ndarray]]:
    """The labels that all devices infer together, and those in the files."""
    strategy = engine.make_strategy("mirrored")
    with tempfile.TemporaryDirectory() as folder:
        label_options = labels.LabelOptions(options, _NETWORK, _PRETEXT)
        dataset = labels.infer(_dataset(), folder, label_options, strategy=strategy)
        for kind in ("hard",) if options.clusters else ("hard", "soft"):
            keys, read = read_label_files([f"{folder}/{kind}/train.tfrecord"])
            assert keys == dataset.source.keys("train")
            yield kind, read
        yield "shown", dataset.shown_labels
        [quality] = labels.read_manifest(folder)["reported_only"].values()
        yield "quality", np.array(quality)


def _command() -> dict[str, np.ndarray]:
    """The labels that `compare_gan label` infers."""
    bindings = (
        "dataset.name = 'synthetic'",
        "synthetic.num_examples = 80",
        "dataset.labeled_fraction = 0.25",
        "synthetic.channels = 1",
        "infer_labels.features = 'raw'",
    )
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
        given = [part for binding in bindings for part in ("--gin_bindings", binding)]
        try:
            main.main(["label", "--label_dir", folder, *given])
        finally:
            logger.handlers, logger.level, logger.propagate = before
        assert said.getvalue() == f"{folder}\n"
        _, read = read_label_files([f"{folder}/hard/train.tfrecord"])
    return {"inferred/command/hard": read}


if __name__ == "__main__":
    np.savez(sys.argv[1], **compute())
