"""Checks of compiled functions on the current backend, for `test_compiled.py` and the others."""

import keras
import numpy as np

from compare_gan import backend


def check_variables():
    """Variables are read and assigned at each call."""
    scale, total, untouched = (keras.Variable(v) for v in (2.0, 0.0, 5.0))
    traces = []

    def function(x, pair):
        traces.append(x.shape)
        total.assign_add(keras.ops.sum(x))
        y, nothing = pair
        assert nothing is None
        return {"scaled": scale * x, "sum": x + y + untouched}, None

    compiled = backend.compiled(function, [scale, total, untouched])
    for i, n in enumerate((2, 3, 2, 3)):
        scale.assign(float(i))
        x = np.full([n], i + 1, np.float32)
        result, nothing = compiled(x, (np.float32(1.0), None))
        assert nothing is None
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(result["scaled"]), i * x)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(result["sum"]), x + 6)
    assert float(total) == 2 * 1 + 3 * 2 + 2 * 3 + 3 * 4
    assert float(untouched) == 5.0
    if keras.backend.backend() != "torch":
        assert len(traces) == 2  # One for each shape, none for each value.


def check_gradients():
    """The gradients of a compiled function of several tensors."""

    def loss(x, y):
        return keras.ops.sum(x * y**2)

    function = backend.compiled(lambda *tensors: backend.value_and_gradients(loss, tensors))
    x, y = np.array([1, 2], np.float32), np.array([3, 4], np.float32)
    value, gradients = function(x, y)
    assert float(value) == 41
    for gradient, expected in zip(gradients, (y**2, 2 * x * y), strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(gradient), expected)


CHECKS = (check_variables, check_gradients)
