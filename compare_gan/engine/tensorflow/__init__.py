"""The engine of TensorFlow: `tf.function` under `tf.distribute`."""

from compare_gan.engine.tensorflow.activations import activation_bytes
from compare_gan.engine.tensorflow.distribution import (
    agree_on,
    is_chief,
    make_strategy,
    on_several_hosts,
)
from compare_gan.engine.tensorflow.loop import Loop, make_train_loop
from compare_gan.engine.tensorflow.update import update

__all__ = [
    "Loop",
    "activation_bytes",
    "agree_on",
    "is_chief",
    "make_strategy",
    "make_train_loop",
    "on_several_hosts",
    "update",
]
