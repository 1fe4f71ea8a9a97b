"""TF-GAN, made importable with current TensorFlow."""

import functools
import sys
import types
from types import ModuleType

from compare_gan.errors import UserError
from compare_gan.startup import import_tensorflow

_ESTIMATOR = "tensorflow_gan.python.estimator"


@functools.cache
def load() -> ModuleType:
    """Imports `tensorflow_gan`, which takes seconds the first time; call it only if needed.

    TF-GAN 2.1 uses `tf.estimator`, which TensorFlow 2.16 removed. This function prevents TF-GAN's
    estimator subpackage from loading and gives `tf.estimator` the one name that its train module
    subclasses. TF-GAN's `eval` and `losses` need neither.

    Raises:
      UserError: TensorFlow or TF-GAN is not installed, or TF-GAN cannot be imported even so.
    """
    tf = import_tensorflow("TF-GAN")
    if _ESTIMATOR not in sys.modules:
        sys.modules[_ESTIMATOR] = types.ModuleType(_ESTIMATOR)
    if not hasattr(tf, "estimator"):
        tf.estimator = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)
    try:
        import tensorflow_gan
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"TF-GAN cannot be imported ({error}): "
            "install it with 'pip install tensorflow-gan tf-keras \"setuptools<81\"'."
        ) from error
    return tensorflow_gan
