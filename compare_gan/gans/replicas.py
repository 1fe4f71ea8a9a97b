"""How many replicas share the global batch."""

import keras


def num_replicas() -> int:
    """The number of replicas of the strategy in whose scope, or in whose replica, this runs."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync
