"""Steps that are not compiled: tracing a step takes longer than a few of them."""

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def eagerly() -> Iterator[None]:
    """A context in which TensorFlow runs functions eagerly; also for fixtures of modules."""
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)
