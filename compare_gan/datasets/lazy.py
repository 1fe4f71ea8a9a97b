"""TensorFlow, imported when it is first used: most data sets do without it.

    from compare_gan.datasets.lazy import tf

A module that does so needs `from __future__ import annotations` to name `tf.Tensor` in signatures.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

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

_Function = TypeVar("_Function", bound=Callable[..., Any])


def without_autograph(function: _Function) -> _Function:
    """A function for `Dataset.map` that does not branch on tensors, not translated by AutoGraph.

    AutoGraph would look at its source and at that of everything it calls, which takes longer than
    tracing it.

    Example:
      >>> from compare_gan.datasets.lazy import tf, without_autograph
      >>> numbers = tf.data.Dataset.range(3).map(without_autograph(lambda number: 2 * number))
      >>> [int(number) for number in numbers]
      [0, 2, 4]
    """
    return tf.autograph.experimental.do_not_convert(function)
