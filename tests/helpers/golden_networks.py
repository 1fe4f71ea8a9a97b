"""The small networks on which modern parts have been recorded, in TensorFlow and float64."""

import zlib

import numpy as np
import tensorflow as tf

PATHS = ("c1/kernel", "c1/bias", "fc/kernel", "fc/bias")


def weights_by_name(golden, section):
    """The weights of a section, drawn from their names; by the name without that of the section."""
    prefix = f"{section}/weights"
    found = {}
    for i, name in enumerate(golden[f"{prefix}/names"].tolist()):
        text = golden[f"{prefix}/shapes"][i]
        shape = tuple(int(size) for size in text.split(",") if size)
        draws = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).normal(size=shape)
        value = golden[f"{prefix}/offsets"][i] + golden[f"{prefix}/scales"][i] * draws
        value = value.astype(np.float32).astype(np.float64)
        np.testing.assert_allclose(value.sum(), golden[f"{prefix}/sums"][i], rtol=1e-6)
        found[name.removeprefix(f"{section}/")] = value
    return found


class Discriminator:
    """Convolution with stride 2, leaky ReLU, dense; `weights` are four arrays, see `PATHS`."""

    def __init__(self, weights):
        self.variables = [tf.Variable(np.asarray(each, np.float64)) for each in weights]

    @classmethod
    def of_penalties(cls, golden):
        names = ("conv_kernel", "conv_bias", "fc_kernel", "fc_bias")
        return cls([golden[f"penalty/in/{name}"] for name in names])

    @classmethod
    def of_section(cls, golden, section):
        weights = weights_by_name(golden, section)
        return cls([weights[f"discriminator/{path}"] for path in PATHS])

    def __call__(self, x):
        conv_kernel, conv_bias, fc_kernel, fc_bias = self.variables
        x = tf.nn.leaky_relu(tf.nn.conv2d(x, conv_kernel, 2, "SAME") + conv_bias, 0.2)
        return tf.reshape(x, [x.shape[0], -1]) @ fc_kernel + fc_bias

    def gradients(self, tape, value):
        """The gradients by the four weights, zeros where there is none."""
        zero = tf.UnconnectedGradients.ZERO
        found = tape.gradient(value, self.variables, unconnected_gradients=zero)
        return dict(zip(PATHS, found, strict=True))
