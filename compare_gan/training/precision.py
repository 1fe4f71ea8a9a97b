"""Mixed precision: networks that compute in half precision, and the loss scale of float16.

Variables, optimizer slots, averages, spectral norm, batch moments and losses stay float32; so do
sampling and evaluation, which build networks of their own.
"""

import contextlib

import keras
import tensorflow as tf

from compare_gan.backend import cross_replica_mean, in_replicas


@contextlib.contextmanager
def mixed_precision(precision: str | None):
    """Networks made inside compute in this precision; None leaves them to Keras's own setting."""
    before = keras.config.dtype_policy()
    if precision is not None:
        keras.config.set_dtype_policy(f"mixed_{precision}")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def with_loss_scale(optimizer: keras.optimizers.Optimizer, network: keras.Model):
    """The optimizer, with a dynamic loss scale where the network computes in float16.

    The scale starts at 2¹⁵, is halved by each update whose gradients overflow, which is skipped,
    and doubled after 2,000 others. https://arxiv.org/abs/1710.03740
    """
    if network.compute_dtype != "float16":
        return optimizer
    return keras.optimizers.LossScaleOptimizer(optimizer)


def loss_scale(optimizer: keras.optimizers.Optimizer) -> tf.Tensor | None:
    """The scale that an optimizer's next loss is multiplied by; None if it has none."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return tf.convert_to_tensor(optimizer.dynamic_scale.value)
    return None


def agreed(gradients: list) -> list:
    """Gradients that are finite on all replicas or on none, as Keras's loss scale supposes."""
    if not in_replicas():
        return gradients
    [share] = cross_replica_mean([tf.cast(_all_finite(gradients), tf.float32)])
    return [None if g is None else tf.where(share == 1.0, g, float("nan")) for g in gradients]


def unscaled_norm(gradients: list, scale: tf.Tensor | None) -> tf.Tensor:
    """The norm of all gradients together, not finite only where training has diverged.

    An overflow that a smaller loss scale may mend is none: the update is skipped, the norm of what
    is done then is 0. At a scale of 1 or less it is the gradients that are not finite.
    """
    norm = tf.linalg.global_norm([g for g in gradients if g is not None])
    if scale is None:
        return norm
    skipped = tf.logical_and(tf.logical_not(_all_finite(gradients)), scale > 1.0)
    return tf.where(skipped, 0.0, norm / scale)


def _all_finite(gradients: list) -> tf.Tensor:
    finite = [tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]
    return tf.reduce_all(tf.stack(finite))
