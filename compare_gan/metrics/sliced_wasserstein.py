"""Sliced Wasserstein distance of image patches, computed by TF-GAN."""

import contextlib
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import Arrays, ExtractorInfo, Metric, check_levels
from compare_gan.metrics.collected import CollectedFields
from compare_gan.types import Direction

_PATCH = 7
_COARSEST = 16


def sliced_wasserstein_distance(
    real: npt.ArrayLike,
    fake: npt.ArrayLike,
    *,
    patches_per_image: int = 64,
    seed: int = 0,
    dequantize: bool = True,
) -> dict[int, tuple[float, float]]:
    """Distances between patches of 7 x 7 pixels at each level of a Laplacian pyramid.

    Computed by `tensorflow_gan.eval.sliced_wasserstein_distance`, made repeatable. Gray images are
    converted to RGB.

    Paper: https://arxiv.org/abs/1710.10196 (section 5).

    Args:
      real: Real images [n, S, S, C] in [0, 255], uint8 or float, C = 1 or 3. S is at least 7 and
        even at each level of the pyramid, down to 16.
      fake: Generated images with the same shape; the distance depends on their number. The authors
        of TF-GAN recommend 8192 images, which need about 3 GB of memory per level.
      patches_per_image: Number of patches of each image at each level.
      seed: Seed of the positions of patches and of the directions of projection.
      dequantize: Whether to add noise to each pixel, within its level of 256. TF-GAN divides each
        patch by its standard deviation, so without noise a patch of one colour has no distance.

    Returns:
      By side of the level, largest first: the distance of `fake` from `real`, and the distance
      between two samples of patches of `real`, which is the smallest to be expected.

    Raises:
      UserError: The shapes are not suitable, a set consists of floats in [0, 1] that are not all 0,
        TF-GAN cannot be imported, or a patch has no contrast.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import sliced_wasserstein_distance
      >>> real, fake = np.random.default_rng(0).integers(0, 256, [2, 4, 16, 16, 1], dtype=np.uint8)
      >>> levels = sliced_wasserstein_distance(real, fake, patches_per_image=4)
      >>> list(levels), levels[16][0] > 0
      ([16], True)
    """
    from compare_gan.metrics import tfgan

    real, fake = np.asarray(real), np.asarray(fake)
    if real.shape != fake.shape or real.ndim != 4:
        raise UserError(
            "The sliced Wasserstein distance needs two arrays [n, S, S, C] of the same shape, "
            f"received {list(real.shape)} and {list(fake.shape)}."
        )
    if reason := _unsuitable(real.shape[1:]):
        raise UserError(f"The sliced Wasserstein distance cannot be computed: {reason}.")
    for name, images in (("real", real), ("fake", fake)):
        check_levels(f"The {name} images", images)
    distance = tfgan.load().eval.sliced_wasserstein_distance
    import tensorflow as tf  # After `load`, which says what to do if it is missing.

    rng = np.random.default_rng(seed)
    # TF-GAN draws directions from TensorFlow's random generator, which a separate graph isolates,
    # and patches from NumPy's, in Python functions that TensorFlow runs in any order. To make them
    # repeatable, they are run one by one, and their results are fed to the rest of the graph.
    with tf.Graph().as_default() as graph, _numpy_seed(seed), _quiet(tf.get_logger()):
        tf.compat.v1.set_random_seed(seed)
        inputs = [tf.compat.v1.placeholder(tf.float32, [*real.shape[:3], 3]) for _ in range(2)]
        levels = distance(*inputs, resolution_min=_COARSEST, patches_per_image=patches_per_image)
        patches = [op.outputs[0] for op in graph.get_operations() if op.type.startswith("PyFunc")]
        values = [_as_rgb(images, rng if dequantize else None) for images in (real, fake)]
        feeds = dict(zip(inputs, values, strict=True))
        with tf.compat.v1.Session() as session:
            for drawn in patches:
                feeds[drawn] = session.run(drawn, {x: feeds[x] for x in inputs})
            levels = session.run(levels, feeds)
    if not np.isfinite(levels).all():
        raise UserError(
            "The sliced Wasserstein distance of TF-GAN needs patches with contrast, received one "
            "with a single colour: set dequantize = True."
        )
    side = real.shape[1]
    return {side >> i: (float(pair[1]), float(pair[0])) for i, pair in enumerate(levels)}


def _unsuitable(image_shape: Sequence[int]) -> str | None:
    height, width, channels = image_shape
    halvings = max(0, int(math.log2(height)) - int(math.log2(_COARSEST)))
    if height != width or height < _PATCH or channels not in (1, 3) or height % 2**halvings:
        return (
            f"TF-GAN takes square gray or RGB images with a side of at least {_PATCH} that can be "
            f"halved down to {_COARSEST} or just above, these are {height}x{width}x{channels}"
        )
    return None


def _as_rgb(images: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
    images = np.asarray(images, np.float32)
    if rng is not None:
        images = images + rng.uniform(-0.5, 0.5, images.shape).astype(np.float32)
    return np.broadcast_to(images, [*images.shape[:3], 3])


@contextlib.contextmanager
def _numpy_seed(seed: int) -> Iterator[None]:
    state = np.random.get_state()  # noqa: NPY002 - TF-GAN uses the global generator.
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silences TensorFlow's deprecation warnings about functions that TF-GAN calls."""
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


@registry.register("metric", "sliced_wasserstein", paper="https://arxiv.org/abs/1710.10196")
class SlicedWasserstein(Metric):
    """Sliced Wasserstein distance of patches, averaged over the levels of a pyramid, by TF-GAN.

    Lower is better. Further values are the distance at each level (`_32`, `_16` for images of
    32 x 32) and the average distance between two samples of patches of real images (`_real`), which
    is the smallest to be expected.

    The paper uses 16,384 images, 128 patches of each, without dequantization, and multiplies the
    distances by 1000.

    Args:
      num_images: Largest number of images of either set, on which the value depends.
      patches_per_image: Number of patches of each image at each level.
      seed: Seed of the positions of patches and of the directions of projection.
      dequantize: Whether to add noise to pixels, see `sliced_wasserstein_distance`.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import SlicedWasserstein
      >>> real, fake = np.random.default_rng(0).integers(0, 256, [2, 4, 16, 16, 1], dtype=np.uint8)
      >>> metric = SlicedWasserstein(num_images=4, patches_per_image=4)
      >>> list(metric.value(real={"images": real}, fake={"images": fake}))
      ['', '16', 'real']
    """

    name = "sliced_wasserstein"
    needs = frozenset({"images"})
    uses_real = True
    better = "lower"
    better_by_suffix: ClassVar[Mapping[str, Direction]] = {"real": None}

    def __init__(
        self,
        num_images: int = 2048,
        patches_per_image: int = 64,
        seed: int = 0,
        dequantize: bool = True,
    ):
        check_positive_integer("sliced_wasserstein.num_images", num_images)
        check_positive_integer("sliced_wasserstein.patches_per_image", patches_per_image)
        self.num_images, self.patches_per_image = num_images, patches_per_image
        self.seed, self.dequantize = seed, dequantize

    def statistics(self, num_images: int) -> CollectedFields:
        return CollectedFields("images")

    def value(self, real: Arrays, fake: Arrays) -> dict[str, float]:
        count = min(self.num_images, len(real["images"]), len(fake["images"]))
        levels = sliced_wasserstein_distance(
            real["images"][:count],
            fake["images"][:count],
            patches_per_image=self.patches_per_image,
            seed=self.seed,
            dequantize=self.dequantize,
        )
        mean, real_mean = (float(value) for value in np.mean(list(levels.values()), axis=0))
        distances = {str(side): distance for side, (distance, _) in levels.items()}
        return {"": mean, **distances, "real": real_mean}

    def options(self) -> dict[str, object]:
        return {
            "num_images": self.num_images,
            "patches_per_image": self.patches_per_image,
            "seed": self.seed,
            "dequantize": self.dequantize,
        }

    def inapplicable(
        self, extractor: ExtractorInfo, class_names: Sequence[str] | None
    ) -> str | None:
        from compare_gan.metrics import tfgan

        try:
            tfgan.load()
        except UserError as error:
            return str(error).rstrip(".")
        return super().inapplicable(extractor, class_names)

    def inapplicable_to(self, image_shape: Sequence[int]) -> str | None:
        return _unsuitable(image_shape)
