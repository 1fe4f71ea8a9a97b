"""Stacked digits: images with 1,000 modes that can be counted."""

import dataclasses

import gin
import numpy as np

from compare_gan.datasets.sources import ArraySource, Source
from compare_gan.errors import UserError, check_positive_integer

_LARGEST = 16  # The level of white in scikit-learn's digits.
_MODES = 1000
_SEED = 0


@gin.configurable("stacked_digits")
@dataclasses.dataclass(frozen=True)
class StackedDigitsOptions:
    """Options of the data set `stacked_digits` (gin scope `stacked_digits`).

    Attributes:
      num_examples: Number of images, at least one of each of the 1,000 modes.

    Raises:
      UserError: The number is not an integer, or too small.
    """

    num_examples: int = 20_000

    def __post_init__(self) -> None:
        check_positive_integer("stacked_digits.num_examples", self.num_examples)
        if self.num_examples < _MODES:
            raise UserError(
                f"stacked_digits.num_examples must be at least {_MODES:,}, one for each mode, "
                f"received {self.num_examples}."
            )


def load_stacked_digits(options: StackedDigitsOptions) -> Source:
    """Three of scikit-learn's 8x8 digits in the channels of each image, as one split `train`.

    The class, one of 1,000, is the number that they form, red first; all are equally frequent. It
    is the stacked MNIST of VEEGAN (https://arxiv.org/abs/1705.07761) at the size of these digits:
    a GAN whose samples miss modes cannot hide it. The images are the same in every run.

    Example:
      >>> from compare_gan.datasets.stacked_digits import StackedDigitsOptions, load_stacked_digits
      >>> source = load_stacked_digits(StackedDigitsOptions(num_examples=2000))
      >>> source.image_shape, source.num_classes, source.class_names[42]
      ((8, 8, 3), 1000, '042')
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255 / _LARGEST)).astype(np.uint8)
    rng = np.random.default_rng(_SEED)
    labels = rng.permutation(np.arange(options.num_examples) % _MODES)
    wanted = labels[:, None] // [100, 10, 1] % 10  # The digits of each image, [n, 3].
    # Digits sorted by class, of which a random one is taken.
    counts, order = np.bincount(digits.target), np.argsort(digits.target, kind="stable")
    places = np.floor(rng.random(wanted.shape) * counts[wanted]).astype(int)
    chosen = order[(np.cumsum(counts) - counts)[wanted] + places]
    stacked = np.moveaxis(images[chosen], 1, -1)
    names = [f"{number:03}" for number in range(_MODES)]
    return ArraySource.from_arrays({"train": (stacked, labels)}, class_names=names)
