"""The engine of TensorFlow: `tf.function` under `tf.distribute`."""

import tensorflow as tf

from compare_gan.engine.tensorflow.distribution import (
    accelerators,
    agree_on,
    expects_several_hosts,
    is_chief,
    make_strategy,
    of_first,
    on_host,
    on_several_hosts,
    peers,
    use_devices,
)
from compare_gan.engine.tensorflow.loop import Loop, make_train_loop
from compare_gan.engine.tensorflow.operations import count_operations
from compare_gan.engine.tensorflow.peak import peak_bytes
from compare_gan.engine.tensorflow.update import update

__all__ = [
    "Loop",
    "accelerators",
    "agree_on",
    "count_operations",
    "expects_several_hosts",
    "is_chief",
    "make_strategy",
    "make_train_loop",
    "of_first",
    "on_host",
    "on_several_hosts",
    "peak_bytes",
    "peers",
    "update",
    "use_devices",
]

# This pass of TensorFlow's graph optimizer can lose the order between a read of a variable and the
# update of it that follows. The discriminator's forward in a gradient penalty then sometimes saw
# the class predictor after the update; nothing showed it but two losses of one step that differed.
tf.config.optimizer.set_experimental_options({"dependency_optimization": False})
