"""MS-SSIM between images of the same class: the similarity of a generator's samples."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import (
    Arrays,
    ImageBatch,
    Metric,
    SetSize,
    Statistics,
    check_levels,
)

# Exponents of the five scales, fine to coarse, from Wang et al.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_LARGEST = 255.0
_SMALLEST_SIDE = 16  # A single pixel remains at the coarsest of five scales.
_PAIRS_AT_ONCE = 16


def ms_ssim(
    images1: npt.ArrayLike, images2: npt.ArrayLike, weights: Sequence[float] = WEIGHTS
) -> np.ndarray:
    """Multiscale structural similarity of pairs of images.

    As in TensorFlow (`tf.image.ssim_multiscale`): for each channel, the contrast-structure at each
    scale (SSIM at the last) is raised to the power of the scale's weight, negative factors counting
    as 0; the result is the product over scales, averaged over channels. If a scale is smaller than
    the window of 11 x 11, the window shrinks to the image, which `tf.image` does not support.
    Between scales, 2 x 2 pixels are averaged; the last line of an odd side is repeated first.

    Paper: https://ece.uwaterloo.ca/~z70wang/publications/msssim.pdf (Wang et al., 2003).

    Args:
      images1: First images of the pairs, uint8 or float [n, H, W, C] in [0, 255], H and W at least
        16.
      images2: Second images of the pairs, with the same shape.
      weights: Exponent of each scale, fine to coarse.

    Returns:
      The similarities, float64 [n] in [0, 1]; 1 for equal images.

    Raises:
      UserError: Shapes differ, the images are too small, a value is not finite, or an array
        consists of floats in [0, 1] that are not all 0.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ms_ssim
      >>> images = np.random.default_rng(0).integers(0, 256, [2, 16, 16, 1], dtype=np.uint8)
      >>> ms_ssim(images, images).round(6).tolist()
      [1.0, 1.0]
      >>> bool(ms_ssim(images[:1], images[1:])[0] < 0.5)
      True
    """
    images1, images2 = np.asarray(images1), np.asarray(images2)
    if images1.shape != images2.shape:
        raise UserError(
            "MS-SSIM needs two arrays [n, H, W, C] of the same shape, received "
            f"{list(images1.shape)} and {list(images2.shape)}."
        )
    for images in (images1, images2):
        _check_images(images)
    return _ms_ssim_in_blocks(images1, images2, weights)


def _ms_ssim_in_blocks(
    images1: np.ndarray, images2: np.ndarray, weights: Sequence[float] = WEIGHTS
) -> np.ndarray:
    starts = range(0, len(images1), _PAIRS_AT_ONCE)
    blocks = [slice(start, start + _PAIRS_AT_ONCE) for start in starts]
    parts = [_ms_ssim_of_block(images1[rows], images2[rows], weights) for rows in blocks]
    return np.concatenate([np.zeros(0), *parts])


def _check_images(images: np.ndarray) -> None:
    if images.ndim != 4:
        raise UserError(f"MS-SSIM needs images [n, H, W, C], received shape {list(images.shape)}.")
    if reason := _too_small(images.shape[1:]):
        raise UserError(f"MS-SSIM cannot be computed: {reason}.")
    check_levels("The images", images)


def _too_small(image_shape: Sequence[int]) -> str | None:
    if min(image_shape[:2]) >= _SMALLEST_SIDE:
        return None
    return (
        f"it needs images of at least {_SMALLEST_SIDE}x{_SMALLEST_SIDE} pixels, these have "
        f"{image_shape[0]}x{image_shape[1]}"
    )


def _ms_ssim_of_block(
    images1: np.ndarray, images2: np.ndarray, weights: Sequence[float]
) -> np.ndarray:
    pair = np.stack([images1, images2]).astype(np.float64)
    if not np.isfinite(pair).all():
        raise UserError("The images of MS-SSIM must be finite, received NaN or inf.")
    pair = np.moveaxis(pair, -1, 2)  # [2, n, C, H, W]
    product = np.ones(pair.shape[1:3])
    for scale, weight in enumerate(weights, start=1):
        luminance, structure = _ssim_parts(*pair)
        value = structure if scale < len(weights) else luminance * structure
        product = product * np.maximum(value.mean(axis=(-2, -1)), 0.0) ** weight
        if scale < len(weights):
            pair = _halved(pair)
    return product.mean(axis=-1)


def _ssim_parts(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes luminance and contrast-structure in each window, [n, C, H - w + 1, W - w + 1]."""
    height, width = x.shape[-2:]
    size = min(_WINDOW, height, width)
    rows, columns = _gaussian_windows(height, size), _gaussian_windows(width, size).T

    def mean(values: np.ndarray) -> np.ndarray:
        return rows @ values @ columns

    mean_x, mean_y = mean(x), mean(y)
    products, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    c1, c2 = (_K1 * _LARGEST) ** 2, (_K2 * _LARGEST) ** 2
    luminance = (2 * products + c1) / (squares + c1)
    covariance, variances = mean(x * y) - products, mean(x**2 + y**2) - squares
    return luminance, (2 * covariance + c2) / (variances + c2)


def _gaussian_windows(length: int, size: int) -> np.ndarray:
    """Returns the matrix [length - size + 1, length] of weighted means over windows of an axis."""
    offsets = np.arange(size) - (size - 1) / 2
    window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    matrix = np.zeros([length - size + 1, length])
    for i, row in enumerate(matrix):
        row[i : i + size] = window / window.sum()
    return matrix


def _halved(images: np.ndarray) -> np.ndarray:
    """Averages 2 x 2 pixels; the last line of an odd side is repeated first."""
    height, width = images.shape[-2:]
    images = np.pad(images, [(0, 0)] * 3 + [(0, height % 2), (0, width % 2)], mode="edge")
    columns = images[..., ::2] + images[..., 1::2]
    return (columns[..., ::2, :] + columns[..., 1::2, :]) / 4


class ClassImages(Statistics):
    """The first images of each class; without labels, all images form one class.

    Args:
      max_images: Largest number of images of a class.
    """

    def __init__(self, max_images: int):
        self.name = f"class-images-1-of-{max_images}"
        self._max_images = max_images
        self._images: dict[int, list[np.ndarray]] = {}

    def update(self, batch: ImageBatch) -> None:
        if batch.images is None:
            raise UserError("MS-SSIM needs images, received none.")
        labels = [0] * len(batch.images) if batch.labels is None else batch.labels
        for image, label in zip(batch.images, labels, strict=True):
            images = self._images.setdefault(int(label), [])
            if len(images) < self._max_images:
                images.append(image.copy())  # A view would keep the whole batch in memory.

    def result(self) -> dict[str, np.ndarray]:
        if not self._images:
            raise UserError("MS-SSIM needs images, received none.")
        labels = sorted(self._images)
        counts = [len(self._images[label]) for label in labels]
        images = [image for label in labels for image in self._images[label]]
        return {"images": np.stack(images), "labels": np.repeat(labels, counts)}


def ms_ssim_score(
    images: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    pairs_per_class: int = 100,
    seed: int = 0,
) -> float:
    """Mean MS-SSIM of random pairs of images of a class, averaged over classes.

    No image is in two pairs, so the pairs are independent.

    Paper: https://arxiv.org/abs/1610.09585 (section 4.2).

    Args:
      images: Images [n, H, W, C] in [0, 255], uint8 or float.
      labels: Their classes, int [n]; None = one class. Classes with a single image are ignored.
      pairs_per_class: Largest number of pairs of a class, which needs twice as many images.
      seed: Seed of the choice of pairs.

    Raises:
      UserError: No class has two images; see also `ms_ssim`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ms_ssim_score
      >>> image = np.random.default_rng(0).integers(0, 256, [1, 16, 16, 1], dtype=np.uint8)
      >>> round(ms_ssim_score(np.repeat(image, 4, axis=0), labels=[0, 0, 1, 1]), 6)
      1.0
    """
    images = np.asarray(images)
    _check_images(images)  # All at once: a single class of floats may be almost black.
    labels = np.zeros(len(images), int) if labels is None else np.asarray(labels)
    rng = np.random.default_rng(seed)
    scores = []
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        count = min(pairs_per_class, len(order) // 2)
        if count:
            first, second = order[:count], order[count : 2 * count]
            scores.append(_ms_ssim_in_blocks(images[first], images[second]).mean())
    if not scores:
        raise _without_pair(len(images))
    return float(np.mean(scores))


def _without_pair(count: int) -> UserError:
    return UserError(
        f"MS-SSIM needs two images of a class, received {count} images without a pair."
    )


@registry.register("metric", "ms_ssim", paper="https://arxiv.org/abs/1610.09585")
class MultiscaleSsim(Metric):
    """Mean MS-SSIM of generated images of the same class; lower means more variety.

    Compare with the value for real images, which depends on the data set. Without labels, pairs are
    drawn from all images, which gives lower values; the provenance of a score states the number of
    classes (`ms_ssim.classes`). Subfolders count as classes, even if they only split a large set
    (`00000/`, `00001/`, ...).

    Args:
      pairs_per_class: Number of disjoint pairs in each class, taken from its first images.
      seed: Seed of the choice of pairs.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import ImageBatch, MultiscaleSsim
      >>> metric = MultiscaleSsim(pairs_per_class=1)
      >>> statistics = metric.statistics(num_images=2)
      >>> statistics.update(ImageBatch(np.full([2, 16, 16, 1], 9, np.uint8)))
      >>> round(metric.value(fake=statistics.result())[""], 6)
      1.0
    """

    name = "ms_ssim"
    needs = frozenset({"images"})
    uses_labels = True

    def __init__(self, pairs_per_class: int = 100, seed: int = 0):
        check_positive_integer("ms_ssim.pairs_per_class", pairs_per_class)
        self.pairs_per_class, self.seed = pairs_per_class, seed

    def statistics(self, num_images: int) -> ClassImages:
        return ClassImages(2 * self.pairs_per_class)

    def check_sizes(self, fake: SetSize, real: SetSize | None = None) -> None:
        if max(fake.class_counts or [fake.count], default=0) < 2:
            raise _without_pair(fake.count)

    def value(self, fake: Arrays) -> dict[str, float]:
        score = ms_ssim_score(fake["images"], fake["labels"], self.pairs_per_class, self.seed)
        return {"": score}

    def options(self) -> dict[str, object]:
        return {"pairs_per_class": self.pairs_per_class, "seed": self.seed}

    def inapplicable_to(self, image_shape: Sequence[int]) -> str | None:
        return _too_small(image_shape)
