"""Sets of images: files, arrays, splits of data sets, images of a sampler, and given statistics."""

from compare_gan.evaluation.image_sets.generated import (
    AS_IN_THE_DATA,
    IN_TURN,
    GeneratedImages,
)
from compare_gan.evaluation.image_sets.npz import GivenStatistics
from compare_gan.evaluation.image_sets.opening import open_images
from compare_gan.evaluation.image_sets.sets import ImageSet, IndexedImages, renumbered
from compare_gan.evaluation.image_sets.split import SplitImages

__all__ = [
    "AS_IN_THE_DATA",
    "IN_TURN",
    "GeneratedImages",
    "GivenStatistics",
    "ImageSet",
    "IndexedImages",
    "SplitImages",
    "open_images",
    "renumbered",
]
