"""Activation functions with the slopes that GANs use."""

from keras import ops


def leaky_relu(x, negative_slope: float = 0.2):
    """max(x, slope·x)."""
    return ops.leaky_relu(x, negative_slope=negative_slope)
