"""TF-GAN and TF-Hub, made importable with current TensorFlow and setuptools."""

import contextlib
import functools
import importlib.util
import sys
import types
from collections.abc import Iterator
from types import ModuleType
from typing import Any

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
        with _parse_version_provided():
            import tensorflow_gan
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"TF-GAN cannot be imported ({error}): "
            "install it with 'pip install tensorflow-gan tf-keras'."
        ) from error
    return tensorflow_gan


@functools.cache
def load_hub() -> ModuleType:
    """Imports `tensorflow_hub`.

    TF-Hub 0.16 takes one function from `pkg_resources`, which setuptools 82 removed.

    Raises:
      UserError: TensorFlow or TF-Hub is not installed, or TF-Hub cannot be imported.
    """
    import_tensorflow("TF-Hub")
    try:
        with _parse_version_provided():
            import tensorflow_hub
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"TF-Hub cannot be imported ({error}): install it with 'pip install tensorflow-hub "
            "tf-keras'."
        ) from error
    return tensorflow_hub


@contextlib.contextmanager
def _parse_version_provided() -> Iterator[None]:
    """Stands in for `pkg_resources`, where there is none, while TF-Hub is imported."""
    name = "pkg_resources"
    if importlib.util.find_spec(name) is not None:
        yield
        return
    from packaging.version import Version

    before = {name: sys.modules[name]} if name in sys.modules else {}
    stand_in: Any = types.ModuleType(name)
    stand_in.parse_version = Version
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]  # Other modules must see that it is missing.
        sys.modules.update(before)
