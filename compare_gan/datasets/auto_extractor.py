"""The choice of the extractor `auto`."""

from collections.abc import Iterable
from typing import Any

AUTO = "auto"
# By the beginning of a data set's name.
_SUITABLE = {"fashion_mnist": "fashion_cnn", "stacked_digits": "stacked_digits"}


def chosen_extractor(extractor: Any, names: Iterable[str]) -> Any:
    """An extractor as it was requested; for `auto` a name that suits the images.

    Example:
      >>> from compare_gan.datasets.auto_extractor import chosen_extractor
      >>> chosen_extractor("auto", ["fashion-mnist_10k:test", "a folder"])
      'fashion_cnn'
      >>> chosen_extractor("auto", ["cifar10"]), chosen_extractor("keras_model", ["cifar10"])
      ('inception', 'keras_model')

    Args:
      extractor: Registered name, class or instance of an extractor, or `auto`.
      names: Names of the data set or of the sets of images.
    """
    if extractor != AUTO:
        return extractor
    plain = [name.replace("-", "_") for name in names]
    for prefix, suitable in _SUITABLE.items():
        if any(name.startswith(prefix) for name in plain):
            return suitable
    return "inception"
