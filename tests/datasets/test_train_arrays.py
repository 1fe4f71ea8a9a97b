"""Batches as arrays are those of tf.data; under JAX they need no TensorFlow."""

import contextlib
import importlib.util
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest

from compare_gan.datasets import (
    ArraySource,
    Dataset,
    eval_batches,
    get_dataset,
    train_arrays,
    train_batches,
)
from compare_gan.datasets.sources import Source
from compare_gan.errors import UserError

_SCRIPT = pathlib.Path(__file__).with_name("array_batches.py")
_ROOT = _SCRIPT.parents[2]
_OPTIONS = dict(batch_size=4, disc_iters=1, z_dim=3, seed=1)


@pytest.fixture(name="script", scope="module")
def _script():
    spec = importlib.util.spec_from_file_location("array_batches", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="folder", scope="module")
def _folder(script, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    script.write_files(folder)
    return folder


def _from_dataset(dataset, **options):
    return train_batches(dataset, **options).take(2).as_numpy_iterator()


@pytest.fixture(name="expected", scope="module")
def _expected(script, folder):
    """What tf.data yields."""
    return dict(script.compute(folder, _from_dataset))


def _assert_same(actual, expected):
    assert actual.keys() == expected.keys() and len(expected) > 100
    for key, value in expected.items():
        assert actual[key].dtype == value.dtype and actual[key].shape == value.shape, key
        # Normal draws differ in their last digits, truncated ones in the last but one.
        close = 1e-5 if "normal" in key else 0
        np.testing.assert_allclose(actual[key], value, rtol=close, atol=close, err_msg=key)


def test_arrays_are_those_of_tf_data(script, folder, expected):
    _assert_same(dict(script.compute(folder, script.first_two)), expected)


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_arrays_without_tensorflow_are_those_of_tf_data(folder, expected, tmp_path):
    path = tmp_path / "arrays.npz"
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(_ROOT)}
    process = subprocess.run(
        [sys.executable, str(_SCRIPT), str(folder), str(path)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    with np.load(path) as file:
        _assert_same({key: file[key] for key in file.files}, expected)


class _Streamed(Source):
    """A source of a user, on tf.data alone."""

    def labels(self, split):
        raise NotImplementedError

    def training(self, layout, seed, labels):
        import tensorflow as tf

        images = tf.zeros([layout.sub_batches * layout.rows, *self.image_shape], tf.uint8)
        labels = tf.zeros([layout.sub_batches * layout.rows], tf.int32)
        return tf.data.Dataset.from_tensors((images, labels)).repeat()

    def evaluation(self, split, batch_size, count, labels):
        raise NotImplementedError


def _streamed():
    return Dataset("mine", _Streamed(image_shape=(4, 4, 3), splits={"train": 9}, num_classes=2))


def test_sources_on_tf_data_yield_arrays_too():
    batches = train_arrays(_streamed(), **_OPTIONS)
    [expected] = train_batches(_streamed(), **_OPTIONS).take(1).as_numpy_iterator()
    actual = next(batches)
    batches.close()
    assert actual.keys() == expected.keys()
    for key in actual:
        np.testing.assert_array_equal(actual[key], expected[key])


@pytest.fixture(name="no_tensorflow")
def _no_tensorflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)


def test_what_needs_tensorflow_says_so(no_tensorflow):
    with pytest.raises(UserError, match=r"^'cifar10' of TensorFlow Datasets needs TensorFlow"):
        get_dataset("cifar10")
    with pytest.raises(
        UserError, match=r"^Reading this data set with tf\.data needs TensorFlow, w"
    ):
        train_arrays(_streamed(), **_OPTIONS)


def test_training_and_evaluation_at_once_read_the_images_once():
    """Training reads in a thread of its own."""
    reads = []

    def read():
        reads.append(1)
        time.sleep(0.05)
        return np.zeros([8, 2, 2, 1], np.uint8)

    source = ArraySource(
        image_shape=(2, 2, 1),
        splits={"train": 8},
        images={"train": read},
        true_labels={"train": np.zeros(8, np.int32)},
    )
    dataset = Dataset("slow", source)
    with contextlib.closing(train_arrays(dataset, **_OPTIONS)) as batches:
        assert len(list(eval_batches(dataset, "train", 8))) == 1
        next(batches)
    assert len(reads) == 1
