"""MS-SSIM between images of the same class: how much alike a generator's samples are."""

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import ImageBatch, Metric, Statistics, check_levels

# Exponents of the five scales, fine to coarse, as Wang et al. found them.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_K1, _K2 = 0.01, 0.03
_LARGEST = 255.0
# What is left at the coarsest of five scales is a single pixel: nothing to compare below.
_SMALLEST_SIDE = 16
_PAIRS_AT_ONCE = 16


def ms_ssim(images1, images2, weights=WEIGHTS) -> np.ndarray:
    """Multiscale structural similarity of pairs of images.

    As TensorFlow computes it (`tf.image.ssim_multiscale`): for each channel the product over scales
    of contrast-structure (of SSIM at the last) to the power of the scale's weight, negative factors
    counting as 0, and then the mean over channels. Windows of 11 x 11 shrink to the image where a
    scale is smaller than that, which `tf.image` refuses; between scales pairs of pixels are
    averaged, after an odd side's last line has been repeated.

    Paper: https://ece.uwaterloo.ca/~z70wang/publications/msssim.pdf (Wang et al., 2003).

    Args:
      images1: [n, H, W, C] in [0, 255], uint8 or float, at least 16 x 16.
      images2: Of the same shape.
      weights: Exponent of each scale, fine to coarse.

    Returns:
      float64 [n], at most 1, which equal images have.

    Raises:
      UserError: Shapes differ, the images are too small, a value is not finite, or all of either
        array are floats in [0, 1] (but for black images, all 0).
    """
    images1, images2 = np.asarray(images1), np.asarray(images2)
    if images1.shape != images2.shape:
        raise UserError(
            "MS-SSIM compares two arrays [n, H, W, C] of one shape, received "
            f"{list(images1.shape)} and {list(images2.shape)}."
        )
    for images in (images1, images2):
        _check_images(images)
    return _of_pairs(images1, images2, weights)


def _of_pairs(images1, images2, weights=WEIGHTS) -> np.ndarray:
    parts = range(0, len(images1), _PAIRS_AT_ONCE)
    cuts = [slice(start, start + _PAIRS_AT_ONCE) for start in parts]
    return np.concatenate([np.zeros(0), *(_some(images1[c], images2[c], weights) for c in cuts)])


def _check_images(images: np.ndarray) -> None:
    if images.ndim != 4:
        raise UserError(f"MS-SSIM compares images [n, H, W, C], received {list(images.shape)}.")
    if reason := _too_small(images.shape[1:]):
        raise UserError(f"MS-SSIM cannot be computed: {reason}.")
    check_levels("The images", images)


def _too_small(image_shape) -> str | None:
    if min(image_shape[:2]) >= _SMALLEST_SIDE:
        return None
    return (
        f"it needs images of at least {_SMALLEST_SIDE}x{_SMALLEST_SIDE} pixels, these have "
        f"{image_shape[0]}x{image_shape[1]}"
    )


def _some(images1, images2, weights) -> np.ndarray:
    pair = np.stack([images1, images2]).astype(np.float64)
    if not np.isfinite(pair).all():
        raise UserError("The images are not all finite, so they have no MS-SSIM.")
    pair = np.moveaxis(pair, -1, 2)  # [2, n, C, H, W]
    product = 1.0
    for scale, weight in enumerate(weights, start=1):
        luminance, structure = _ssim_parts(*pair)
        value = structure if scale < len(weights) else luminance * structure
        product = product * np.maximum(value.mean(axis=(-2, -1)), 0.0) ** weight
        if scale < len(weights):
            pair = _halved(pair)
    return product.mean(axis=-1)


def _ssim_parts(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Luminance and contrast-structure in every window: [n, C, H - w + 1, W - w + 1]."""
    height, width = x.shape[-2:]
    size = min(_WINDOW, height, width)
    rows, columns = _gaussian_windows(height, size), _gaussian_windows(width, size).T

    def mean(values):
        return rows @ values @ columns

    mean_x, mean_y = mean(x), mean(y)
    products, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    c1, c2 = (_K1 * _LARGEST) ** 2, (_K2 * _LARGEST) ** 2
    luminance = (2 * products + c1) / (squares + c1)
    covariance, variances = mean(x * y) - products, mean(x**2 + y**2) - squares
    return luminance, (2 * covariance + c2) / (variances + c2)


def _gaussian_windows(length: int, size: int) -> np.ndarray:
    """Weighted means over windows along an axis as a matrix: [length - size + 1, length]."""
    offsets = np.arange(size) - (size - 1) / 2
    window = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    matrix = np.zeros([length - size + 1, length])
    for i, row in enumerate(matrix):
        row[i : i + size] = window / window.sum()
    return matrix


def _halved(images) -> np.ndarray:
    """Means of 2 x 2 pixels; the last line of an odd side is repeated first."""
    height, width = images.shape[-2:]
    images = np.pad(images, [(0, 0)] * 3 + [(0, height % 2), (0, width % 2)], mode="edge")
    columns = images[..., ::2] + images[..., 1::2]
    return (columns[..., ::2, :] + columns[..., 1::2, :]) / 4


class ClassImages(Statistics):
    """The first images of each class, of all images where there are no classes.

    Args:
      most: How many of each.
    """

    def __init__(self, most: int):
        self.name = f"class-images-1-of-{most}"
        self._most = most
        self._images: dict[int, list[np.ndarray]] = {}

    def update(self, batch: ImageBatch) -> None:
        labels = [0] * len(batch.images) if batch.labels is None else batch.labels
        for image, label in zip(batch.images, labels, strict=True):
            images = self._images.setdefault(int(label), [])
            if len(images) < self._most:
                images.append(image.copy())  # A view would keep its whole batch in memory.

    def result(self) -> dict[str, np.ndarray]:
        if not self._images:
            raise UserError("MS-SSIM needs images, received none.")
        labels = sorted(self._images)
        counts = [len(self._images[label]) for label in labels]
        images = [image for label in labels for image in self._images[label]]
        return {"images": np.stack(images), "labels": np.repeat(labels, counts)}


def ms_ssim_score(images, labels=None, pairs_per_class: int = 100, seed: int = 0) -> float:
    """The mean MS-SSIM of random pairs of a class, then the mean over classes.

    No image is in two pairs, so that the pairs are independent.

    Paper: https://arxiv.org/abs/1610.09585 (section 4.2).

    Args:
      images: [n, H, W, C] in [0, 255], uint8 or float.
      labels: int [n]; None = all are of one class. Classes with a single image do not count.
      pairs_per_class: How many pairs; fewer in a class of fewer than twice as many images.
      seed: Equal seeds give equal pairs.

    Raises:
      UserError: No class has two images; see also `ms_ssim`.
    """
    images = np.asarray(images)
    _check_images(images)  # All at once, for a class of floats may be almost black.
    labels = np.zeros(len(images), int) if labels is None else np.asarray(labels)
    rng = np.random.default_rng(seed)
    scores = []
    for label in np.unique(labels):
        order = rng.permutation(np.flatnonzero(labels == label))
        count = min(pairs_per_class, len(order) // 2)
        if count:
            first, second = order[:count], order[count : 2 * count]
            scores.append(_of_pairs(images[first], images[second]).mean())
    if not scores:
        raise UserError(f"MS-SSIM needs two images of a class, {len(images)} images have no pair.")
    return float(np.mean(scores))


@registry.register("metric", "ms_ssim", paper="https://arxiv.org/abs/1610.09585")
class MultiscaleSsim(Metric):
    """Mean MS-SSIM of generated images of the same class; lower means more variety.

    To be read beside the value of real images, which differs from data set to data set. Without
    labels pairs are drawn from all images, which gives lower values: the protocol tells the number
    of classes (`ms_ssim.classes`). Subfolders count as classes, also those that only split a large
    set (`00000/`, `00001/`, ...).

    Args:
      pairs_per_class: Disjoint pairs in each class, among the first images of it.
      seed: Of the pairs.
    """

    name = "ms_ssim"
    needs = frozenset({"images"})
    uses_labels = True

    def __init__(self, pairs_per_class: int = 100, seed: int = 0):
        check_positive_integer("ms_ssim.pairs_per_class", pairs_per_class)
        self.pairs_per_class, self.seed = pairs_per_class, seed

    def statistics(self, num_images):
        return ClassImages(2 * self.pairs_per_class)

    def value(self, fake):
        score = ms_ssim_score(fake["images"], fake["labels"], self.pairs_per_class, self.seed)
        return {"": score}

    def options(self):
        return {"pairs_per_class": self.pairs_per_class, "seed": self.seed}

    def inapplicable_to(self, image_shape):
        return _too_small(image_shape)
