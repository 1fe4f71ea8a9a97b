"""Single samples of the sequence that a seed gives, by their numbers.

Sample i has row i of the latents of `Sampler.draw_z`, and its class is the i-th in turn. It is the
same image whichever others are drawn with it.
"""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from compare_gan.errors import UserError
from compare_gan.sampling.classes import find_classes
from compare_gan.sampling.sampler import Sampler

# Latents are drawn from the first to the last that is needed.
_GREATEST = 999_999  # Six digits, see `_RANGE`.
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


def parse_numbers(text: str) -> list[int]:
    """The numbers of samples in a list of numbers and ranges, each once, in the order given.

    Example:
      >>> from compare_gan.sampling.numbered import parse_numbers
      >>> parse_numbers("7,0-3,2")
      [7, 0, 1, 2, 3]

    Raises:
      UserError: It is no such list.
    """
    found: dict[int, None] = {}
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise UserError(
                f"--seeds must be numbers from 0 to {_GREATEST} and ranges of them, such as "
                f"0-35,40; received '{text}'."
            )
        found.update(dict.fromkeys(range(first, last + 1)))
    return list(found)


def check_numbers(sampler: Sampler, numbers: Sequence[int], seed: int = 0) -> int:
    """The length of the sequence that contains samples of these numbers.

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.numbered import check_numbers
      >>> check_numbers(Sampler(None, z_dim=2, image_shape=(8, 8, 1)), [3, 1])
      4

    Args:
      sampler: Sampler that draws them.
      numbers: Numbers of the samples, [n].
      seed: Seed of the sequence.

    Raises:
      UserError: The first latents of the distribution depend on how many are drawn, there are no
        numbers, or one is not an integer from 0.
    """
    given = np.asarray(numbers)
    if given.dtype.kind not in "iu" or given.min(initial=0) < 0:
        raise UserError(f"The numbers of samples must be integers from 0, received {numbers}.")
    count = int(given.max()) + 1
    if not np.array_equal(given, np.arange(count)) and not np.array_equal(
        sampler.draw_z(count + 1, seed)[:-1], sampler.draw_z(count, seed)
    ):
        raise UserError(
            f"Single samples cannot be drawn: the latents of {sampler.distribution.describe()} "
            "depend on how many are drawn at once."
        )
    return count


def numbered_latents(
    sampler: Sampler, numbers: Sequence[int], seed: int = 0, labels: np.ndarray | None = None
) -> np.ndarray:
    """The latents of samples, float32 [n, z_dim].

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.numbered import numbered_latents
      >>> sampler = Sampler(None, z_dim=2, image_shape=(8, 8, 1))
      >>> bool((numbered_latents(sampler, [3, 1]) == sampler.draw_z(5, seed=0)[[3, 1]]).all())
      True

    Args:
      sampler: Sampler that draws them.
      numbers: Numbers of the samples, [n].
      seed: Seed of the sequence.
      labels: Classes of the samples, int [n], for a sampler that refines latents.

    Raises:
      UserError: See `check_numbers` and `Sampler.draw_latents`.
    """
    count = check_numbers(sampler, numbers, seed)
    return sampler.draw_latents(count, seed, labels, np.asarray(numbers))


def numbered_labels(
    sampler: Sampler, numbers: Sequence[int], classes: Iterable[str | int] | None = None
) -> np.ndarray | None:
    """The classes of samples, which take turns, int32 [n]; None for an unconditional generator.

    Example:
      >>> from compare_gan.sampling import Sampler
      >>> from compare_gan.sampling.numbered import numbered_labels
      >>> sampler = Sampler(None, z_dim=2, image_shape=(8, 8, 1), num_classes=3)
      >>> numbered_labels(sampler, [0, 1, 5]), numbered_labels(sampler, [0, 1, 5], classes=[2, 0])
      (array([0, 1, 2], dtype=int32), array([2, 0, 0], dtype=int32))

    Args:
      sampler: Sampler whose classes they are.
      numbers: Numbers of the samples, [n].
      classes: Names or numbers of the classes that take turns; None = all.

    Raises:
      UserError: There is no such class.
    """
    chosen = find_classes(sampler, classes)
    if sampler.num_classes is None:
        return None
    turn = np.arange(sampler.num_classes) if chosen is None else np.array(chosen)
    return turn[np.asarray(numbers) % len(turn)].astype(np.int32)
