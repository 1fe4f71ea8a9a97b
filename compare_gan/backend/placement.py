"""The device on which compiled functions run."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import keras

# The device of `on_device`; None = the backend's choice.
_device: contextvars.ContextVar[Any] = contextvars.ContextVar("device", default=None)


@contextlib.contextmanager
def on_device(device: Any) -> Iterator[None]:
    """Context in which this thread's calls of compiled functions run on one device.

    Functions of `backend.compiled` read their variables wherever those are. What they assign to
    variables is lost under JAX.

    Args:
      device: A device of `engine.Peers`: a name under TensorFlow, a `jax.Device` under JAX; None
        for the backend's choice.

    Example:
      >>> from compare_gan import backend
      >>> with backend.on_device(None):
      ...     print(backend.current_device())
      None
    """
    token = _device.set(device)
    try:
        if device is not None and keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            with tf.device(device):
                yield
        else:
            yield
    finally:
        _device.reset(token)


def current_device() -> Any:
    """The device of `on_device`; None outside of it.

    Example:
      >>> from compare_gan import backend
      >>> backend.current_device() is None
      True
    """
    return _device.get()
