"""Rematerialized blocks outside of a compiled step; steps are tested in `tests/engines`."""

import numpy as np
import tensorflow as tf

from compare_gan import backend
from compare_gan.layers import Dense


def test_the_backward_pass_has_the_kernel_of_the_forward():
    """Spectral norm moves its vector in the forward, also where nothing is compiled."""
    layer = Dense(5, spectral_norm=True)
    x = tf.constant(np.random.RandomState(0).normal(size=(3, 4)), tf.float32)
    layer.build(x.shape)
    start = tf.convert_to_tensor(layer.u_var)
    block = backend.rematerializable(lambda layer, x: layer(x, training=True))
    found = []
    for each in (lambda x: layer(x, training=True), lambda x: block(layer, x)):
        layer.u_var.assign(start)
        with backend.rematerialization():
            found.append(backend.gradient(each, x))
        assert not np.array_equal(layer.u_var, start)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
