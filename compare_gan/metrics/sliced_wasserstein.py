"""Sliced Wasserstein distance of image patches, by TF-GAN."""

import contextlib
import math

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import Metric, check_levels
from compare_gan.metrics.collected import Collected

_PATCH = 7
_COARSEST = 16


def sliced_wasserstein_distance(
    real, fake, *, patches_per_image: int = 64, seed: int = 0, dequantize: bool = True
) -> dict[int, tuple[float, float]]:
    """Distances between patches of 7 x 7 pixels at each level of a Laplacian pyramid.

    By `tensorflow_gan.eval.sliced_wasserstein_distance`, made repeatable. Gray images are shown to
    it as RGB.

    Paper: https://arxiv.org/abs/1710.10196 (section 5).

    Args:
      real: [n, S, S, C] in [0, 255], uint8 or float, C = 1 or 3; S at least 7, and a multiple of 2
        as often as it can be halved to no less than 16.
      fake: Of the same shape: as many, for the distance depends on their number. TF-GAN's authors
        advise 8192, which take about 3 GB a level of memory.
      patches_per_image: In each level.
      seed: Of places of patches and of directions of projection.
      dequantize: Adds to each pixel noise within its level of 256. TF-GAN divides each patch by its
        standard deviation: without noise a patch of one colour has no value, nor has the distance.

    Returns:
      By side of the level, largest first: the distance of `fake` from `real`, and that of other
      patches of `real` from those, the least that can be expected.

    Raises:
      UserError: The images do not suit, all values of a set are floats in [0, 1] (but for a black
        set, all 0), TF-GAN cannot be imported, or a patch has no contrast.
    """
    import tensorflow as tf

    from compare_gan.metrics import tfgan

    real, fake = np.asarray(real), np.asarray(fake)
    if real.shape != fake.shape or real.ndim != 4:
        raise UserError(
            "The sliced Wasserstein distance compares two arrays [n, S, S, C] of one shape, "
            f"received {list(real.shape)} and {list(fake.shape)}."
        )
    if reason := _unsuitable(real.shape[1:]):
        raise UserError(f"The sliced Wasserstein distance cannot be computed: {reason}.")
    for name, images in (("real", real), ("fake", fake)):
        check_levels(f"The {name} images", images)
    distance = tfgan.load().eval.sliced_wasserstein_distance
    rng = np.random.default_rng(seed)
    # TF-GAN draws directions from TensorFlow's generator, which in a graph of its own is its own,
    # and patches from NumPy's, in Python functions that TensorFlow runs in any order: they are run
    # one by one, and what they gave is fed to the rest.
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
            "TF-GAN's sliced Wasserstein distance has no value where a patch of an image has one "
            "colour throughout; dequantize = True gives it one."
        )
    side = real.shape[1]
    return {side >> i: (float(pair[1]), float(pair[0])) for i, pair in enumerate(levels)}


def _unsuitable(image_shape) -> str | None:
    height, width, channels = image_shape
    halvings = max(0, int(math.log2(height)) - int(math.log2(_COARSEST)))
    if height != width or height < _PATCH or channels not in (1, 3) or height % 2**halvings:
        return (
            f"TF-GAN takes square images in gray or RGB whose side is at least {_PATCH} and can be "
            f"halved to {_COARSEST} or just above, these are {height}x{width}x{channels}"
        )
    return None


def _as_rgb(images, rng) -> np.ndarray:
    images = np.asarray(images, np.float32)
    if rng is not None:
        images = images + rng.uniform(-0.5, 0.5, images.shape).astype(np.float32)
    return np.broadcast_to(images, [*images.shape[:3], 3])


@contextlib.contextmanager
def _numpy_seed(seed: int):
    state = np.random.get_state()  # noqa: NPY002 - TF-GAN draws from it.
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


@contextlib.contextmanager
def _quiet(logger):
    """Holds back TensorFlow's advice on what TF-GAN calls."""
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


@registry.register("metric", "sliced_wasserstein", paper="https://arxiv.org/abs/1710.10196")
class SlicedWasserstein(Metric):
    """Sliced Wasserstein distance of patches, averaged over the levels of a pyramid, by TF-GAN.

    Lower is better. Beside it the distance at each level (`_32`, `_16` for images of 32 x 32) and
    the average for other patches of the same real images (`_real`), the least to be expected.

    The paper's numbers are of 16,384 images, 128 patches of each, not dequantized, and times 1000.

    Args:
      num_images: The first of either set; the value depends on how many. Fewer if there are fewer.
      patches_per_image: In each level.
      seed: Of places of patches and of directions of projection.
      dequantize: See `sliced_wasserstein_distance`.
    """

    name = "sliced_wasserstein"
    needs = frozenset({"images"})
    uses_real = True

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

    def statistics(self, num_images):
        return Collected("images")

    def value(self, real, fake):
        count = min(self.num_images, len(real["images"]), len(fake["images"]))
        levels = sliced_wasserstein_distance(
            real["images"][:count],
            fake["images"][:count],
            patches_per_image=self.patches_per_image,
            seed=self.seed,
            dequantize=self.dequantize,
        )
        mean, least = np.mean(list(levels.values()), axis=0)
        return {"": mean, **{str(side): pair[0] for side, pair in levels.items()}, "real": least}

    def options(self):
        return {
            "num_images": self.num_images,
            "patches_per_image": self.patches_per_image,
            "seed": self.seed,
            "dequantize": self.dequantize,
        }

    def inapplicable(self, extractor, class_names):
        from compare_gan.metrics import tfgan

        try:
            tfgan.load()
        except UserError as error:
            return str(error).rstrip(".")
        return super().inapplicable(extractor, class_names)

    def inapplicable_to(self, image_shape):
        return _unsuitable(image_shape)
