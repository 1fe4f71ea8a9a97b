"""The processes that save a checkpoint together: those of JAX on several hosts.

Under `tf.distribute` one of several workers saves alone.
"""

import keras
import numpy as np


def process_index() -> int:
    """The number of this process among those of JAX, from 0; 0 under other engines."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.process_index()
    return 0


def first_of_all(value: int) -> int:
    """The value of the first JAX process, in all of them; every process has to call this.

    Args:
      value: A number from 0 to 2³¹ - 1.
    """
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(value)))
