"""Memory and operations of a function that is only traced, on both engines."""

import importlib.util
import os
import pathlib
import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from compare_gan import engine

_HERE = pathlib.Path(__file__).parent
_BLOCKED = _HERE.parent / "backends" / "without_tensorflow"  # Makes every import of it fail.
_X = keras.KerasTensor((10, 20))
_SIZE = 4 * 10 * 20


def test_results_that_nobody_needs_any_more_are_freed():
    square = keras.KerasTensor((20, 20))
    size = 4 * 20 * 20

    def chain(x):
        for _ in range(5):
            x = tf.matmul(x, x)
        return x

    def all_kept(x):
        results = [tf.matmul(x, x) for _ in range(5)]
        return tf.concat(results, axis=0)

    assert engine.peak_bytes(chain, square).in_order == 2 * size
    assert engine.peak_bytes(all_kept, square).in_order == 10 * size + 4  # The axis, an int32.
    # The sine is computed in new memory, the exponential in that of the sine.
    assert engine.peak_bytes(lambda x: tf.exp(tf.sin(x)), square).in_order == size


def test_operations_that_could_run_at_once_need_memory_at_once():
    """TensorFlow starts all products before the first sum, which was made before most of them."""
    size = 4 * 20 * 20

    def sums(x):
        return tf.add_n([tf.reduce_sum(tf.matmul(x, x)) for _ in range(5)])

    peak = engine.peak_bytes(sums, keras.KerasTensor((20, 20)))
    assert 5 * size <= peak.on_host < 6 * size
    assert size <= peak.in_order < 2 * size


def test_structures_of_inputs_keep_their_dtypes():
    half = {"x": keras.KerasTensor((10, 20), "float16"), "n": keras.KerasTensor((50,), "int32")}
    function, inner = tf.sin, (lambda entries: tf.sin(entries["x"]))
    assert engine.peak_bytes(function, _X).in_order == _SIZE
    assert engine.peak_bytes(inner, half).in_order == _SIZE / 2


def test_jax_finds_about_the_same_and_compiles_nothing(monkeypatch):
    """Exact numbers of inner programs are in `traced_on_jax.py`."""
    if importlib.util.find_spec("jax") is None:
        pytest.skip('jax is not installed: pip install -e ".[test-backends]"')
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join([str(_BLOCKED), str(_HERE.parents[1])]),
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
        # Networks are built with operations that are compiled one by one.
        "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
    }
    done = subprocess.run(
        [sys.executable, str(_HERE / "traced_on_jax.py")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    monkeypatch.syspath_prepend(str(_HERE))
    import traced_on_jax as shared

    # Gradients take a few more operations on TensorFlow, leaky ReLUs on JAX, for example.
    expected = pytest.approx(shared.loss_bytes(shared.make_gan()), rel=0.25)
    assert int(done.stdout) == expected


def test_operations_of_convolutions_and_products_are_counted():
    def function(x):
        images = keras.ops.reshape(x, [1, 10, 20, 1])
        kernel = keras.ops.ones([3, 3, 1, 4])
        return keras.ops.conv(images, kernel, padding="same"), keras.ops.matmul(
            keras.ops.transpose(x), x
        )

    assert engine.count_operations(function, _X) == 2 * (10 * 20 * 4 * 9) + 2 * (20 * 20 * 10)


def test_operations_of_a_gradient_are_those_of_its_convolutions():
    kernel = keras.ops.ones([3, 3, 2, 4])

    def penalty(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = keras.ops.sum(keras.ops.conv(x, kernel, padding="same") ** 2)
        return tape.gradient(y, x)

    images = keras.KerasTensor((1, 5, 6, 2))
    assert engine.count_operations(penalty, images) == 2 * 2 * (5 * 6 * 4 * 9 * 2)
