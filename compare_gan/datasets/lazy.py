"""TensorFlow, imported when it is first used: most data sets do without it.

    from compare_gan.datasets.lazy import tf

A module that does so needs `from __future__ import annotations` to name `tf.Tensor` in signatures.
"""

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import keras

from compare_gan.errors import UserError


def require_tensorflow(purpose: str) -> None:
    """Raises UserError if TensorFlow is not installed; `purpose` begins the sentence.

    Example:
      >>> from compare_gan.datasets.lazy import require_tensorflow
      >>> require_tensorflow("The data set 'cifar10'")
    """
    try:
        _tensorflow()
    except ImportError as error:
        raise UserError(
            f"{purpose} needs TensorFlow, which is not installed: pip install tensorflow."
        ) from error


class _TensorFlow:
    """Stands for the module `tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Asked for by tools that look at modules.
            raise AttributeError(name)
        require_tensorflow("An input pipeline of tf.data")
        return getattr(_tensorflow(), name)


@functools.cache
def _tensorflow() -> Any:
    import tensorflow

    if keras.backend.backend() != "tensorflow":
        # Input pipelines run on the host; TensorFlow would take all memory of the GPUs.
        with contextlib.suppress(RuntimeError):  # It has already been used.
            tensorflow.config.set_visible_devices([], "GPU")
    return tensorflow


if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = _TensorFlow()
