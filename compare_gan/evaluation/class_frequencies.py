"""Frequencies of classes, and a note where those of two sets of images differ."""

import numpy as np

from compare_gan.datasets import Dataset
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.streams import StreamSource
from compare_gan.engine.progress import announced
from compare_gan.errors import UserError
from compare_gan.evaluation.checks import common_classes
from compare_gan.evaluation.image_sets import GeneratedImages, IndexedImages, SplitImages
from compare_gan.evaluation.statistics import Images

# Share of the images that would have to be of another class for equal frequencies.
_ALLOWED = 0.01


def class_counts(dataset: Dataset, split: str, count: int) -> np.ndarray:
    """Number of images of each class in a split; images without a label count for none.

    Example:
      >>> from compare_gan.datasets import get_dataset
      >>> from compare_gan.evaluation.class_frequencies import class_counts
      >>> int(class_counts(get_dataset("synthetic", num_examples=8), "train", 8).sum())
      8

    Args:
      dataset: A data set with classes.
      split: The split.
      count: Number of images that are used. Of a stream, only these are counted.

    Returns:
      int64 [num_classes].
    """
    if isinstance(dataset.source, StreamSource):  # It takes a pass over the records.
        with announced("Counting classes"):
            labels = dataset.source.counted_labels(split, count)
    else:
        labels = dataset.source.counted_labels(split, count)
    labels = to_hard_labels(labels)
    return np.bincount(labels[labels >= 0], minlength=dataset.num_classes or 0)


def frequency_note(real: Images | None, fake: Images) -> str | None:
    """A note if classes of `fake` have other frequencies than those of `real`; None otherwise.

    None too where a set has no labels, its classes are others, or chance explains the difference.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation.class_frequencies import frequency_note
      >>> from compare_gan.evaluation.image_sets import open_images
      >>> images = np.zeros([200, 4, 4, 1], np.uint8)
      >>> equal = open_images((images, np.arange(200) % 2))
      >>> unequal = open_images((images, np.repeat([0, 1], [180, 20])))
      >>> frequency_note(equal, equal) is None, frequency_note(unequal, equal) is None
      (True, False)

    Args:
      real: The reference; None without one.
      fake: The images that are scored.
    """
    of_real, of_fake = (None if each is None else _counts(each) for each in (real, fake))
    if of_real is None or of_fake is None:
        return None
    try:
        names, numbers = common_classes(real, fake)
    except UserError:  # The classes are others.
        return None
    labels = np.flatnonzero(of_fake)
    targets = labels if numbers is None else numbers[labels]
    if targets.max() >= len(of_real) or not of_real[targets].all():
        return None
    of_fake = np.bincount(targets, of_fake[labels], len(of_real))
    expected, shares = of_real / of_real.sum(), of_fake / of_fake.sum()
    both = (of_real + of_fake) / (of_real.sum() + of_fake.sum())
    variance = both * (1 - both) * (1 / of_real.sum() + 1 / of_fake.sum())
    by_chance = np.sqrt(variance / (2 * np.pi)).sum()  # The mean for two random samples.
    if np.abs(shares - expected).sum() / 2 <= max(_ALLOWED, 2 * by_chance):
        return None
    largest = int(np.abs(shares - expected).argmax())
    name = names[largest] if names else largest
    return (
        f"Classes of the generated images have other frequencies than those of the reference "
        f"(class '{name}': {shares[largest]:.1%} against {expected[largest]:.1%}), which biases "
        "scores that compare them: draw images with the reference's frequencies, as `compare_gan "
        "eval` does (evaluation.labels), or choose a reference with the frequencies of the images."
    )


def _counts(images: Images) -> np.ndarray | None:
    """Number of images of each class, at least one of them above 0; None if not known."""
    if not images.has_labels:
        return None
    labels: np.ndarray | None = None
    if isinstance(images, SplitImages):
        counts = class_counts(images.dataset, images.split, images.count)
    else:
        if isinstance(images, GeneratedImages):
            labels = images.sampler.draw_labels(images.count)
        elif isinstance(images, IndexedImages) and images.labels is not None:
            labels = images.labels[images.order]
        if labels is None:
            return None
        counts = np.bincount(labels[labels >= 0])
    return counts if counts.sum() else None
