"""TF-GAN, made importable on the TensorFlow of today."""

import functools
import sys
import types

import tensorflow as tf

from compare_gan.errors import UserError

_ESTIMATOR = "tensorflow_gan.python.estimator"


@functools.cache
def load():
    """The module `tensorflow_gan`; takes seconds the first time, so call it where it is needed.

    TF-GAN 2.1 reaches for `tf.estimator`, which left TensorFlow with 2.16: its own estimator
    subpackage is kept from loading, and `tf.estimator` gets the one name that its train module
    subclasses. Its `eval` and `losses` need neither.

    Raises:
      UserError: TF-GAN is not installed, or cannot be imported in this way either.
    """
    if _ESTIMATOR not in sys.modules:
        sys.modules[_ESTIMATOR] = types.ModuleType(_ESTIMATOR)
    if not hasattr(tf, "estimator"):
        tf.estimator = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)
    try:
        import tensorflow_gan
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"TF-GAN cannot be imported ({error}); "
            "'pip install tensorflow-gan tf-keras \"setuptools<81\"' provides it."
        ) from error
    return tensorflow_gan
