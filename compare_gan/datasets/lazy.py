"""TensorFlow, imported when it is first used: most data sets do without it.

    from compare_gan.datasets.lazy import tf

A module that does so needs `from __future__ import annotations` to name `tf.Tensor` in signatures.
"""

from typing import TYPE_CHECKING, Any

from compare_gan.startup import import_tensorflow


class _TensorFlow:
    """Stands for the module `tensorflow`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Asked for by tools that look at modules.
            raise AttributeError(name)
        return getattr(import_tensorflow("An input pipeline of tf.data"), name)


if TYPE_CHECKING:
    import tensorflow as tf
else:
    tf = _TensorFlow()
