"""Random draws for a batch, the same for any number of replicas and on every backend."""

import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from compare_gan.backend import philox
from compare_gan.backend.parts import num_parts, rows_of_part
from compare_gan.backend.replicas import in_replicas
from compare_gan.types import Tensor

_LOW_BITS = np.uint32(2**23 - 1)


def batch_uniform(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """Draws uniform numbers in [0, 1) for a batch, the same for any number of replicas.

    Draws for the whole global batch and returns the rows of this replica, so that a run on 1, 2 or
    8 replicas, compiled by XLA or not, with TensorFlow or JAX, sees the same numbers.

    Args:
      shape: Static shape of this replica's draws; the first axis is the batch.
      seed: Two integers (tensor or sequence) that determine the draws.

    Returns:
      float32 tensor of shape `shape`.

    Example:
      >>> from compare_gan import backend
      >>> draws = backend.batch_uniform((2, 3), seed=(0, 7))
      >>> tuple(draws.shape), bool((draws == backend.batch_uniform((2, 3), seed=(0, 7)))[0, 0])
      ((2, 3), True)
    """
    if (parts := num_parts()) > 1:
        return rows_of_part(_uniform((shape[0] * parts, *shape[1:]), seed))
    return _uniform(shape, seed)


def _uniform(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """The draws of this replica, for all parts of its batch."""
    if keras.backend.backend() == "jax":
        words = philox.jax_words(math.prod(shape), ops.convert_to_tensor(seed, "int32"))
        return ops.reshape(ops.cast(words & _LOW_BITS, "float32") * 2.0**-23, shape)
    if keras.backend.backend() != "tensorflow":
        numbers = ops.convert_to_numpy(ops.convert_to_tensor(seed))
        words = philox.numpy_words(math.prod(shape), numbers) & _LOW_BITS
        return ops.convert_to_tensor(words.astype(np.float32).reshape(shape) * np.float32(2.0**-23))
    import tensorflow as tf

    if not in_replicas():
        return _stateless_uniform(shape, seed)
    context = tf.distribute.get_replica_context()
    replicas, rows = context.num_replicas_in_sync, shape[0]
    draws = _stateless_uniform([replicas * rows, *shape[1:]], seed)
    # On every strategy the id is a tensor or an int; the slice is static in size.
    start = context.replica_id_in_sync_group * rows
    return tf.slice(draws, [start] + [0] * (len(shape) - 1), shape)


def batch_normal(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """Draws standard normal numbers for a batch, computed from those of `batch_uniform`.

    Args:
      shape: Static shape of this replica's draws; the first axis is the batch.
      seed: Two integers (tensor or sequence) that determine the draws.

    Returns:
      float32 tensor of shape `shape`.

    Example:
      >>> from compare_gan import backend
      >>> tuple(backend.batch_normal((2, 3), seed=(0, 7)).shape)
      (2, 3)
    """
    # Uniform draws are multiples of 2**-23; adding half of that avoids 0, which maps to infinity.
    centred = batch_uniform(shape, seed) + 2.0**-24
    return math.sqrt(2.0) * ops.erfinv(2.0 * centred - 1.0)


def _stateless_uniform(shape: Sequence[int], seed: Tensor | Sequence[int]) -> Tensor:
    """Draws the numbers in [0, 1) that TensorFlow draws on CPU, on every device.

    `tf.random.stateless_uniform` makes floats of the low bits of its integers, XLA of the high
    bits.
    """
    import tensorflow as tf

    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    low = tf.bitwise.bitwise_and(bits, tf.constant(_LOW_BITS))
    return tf.cast(low, tf.float32) * 2.0**-23
