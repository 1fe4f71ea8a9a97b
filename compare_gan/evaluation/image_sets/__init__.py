"""Sets of images: files, arrays, splits of data sets, images of a sampler, and given statistics."""

from compare_gan.evaluation.image_sets.generated import GeneratedImages
from compare_gan.evaluation.image_sets.npz import GivenStatistics
from compare_gan.evaluation.image_sets.opening import open_images
from compare_gan.evaluation.image_sets.sets import ImageSet, IndexedImages, renumbered
from compare_gan.evaluation.image_sets.split import SplitImages

__all__ = [
    "GeneratedImages",
    "GivenStatistics",
    "ImageSet",
    "IndexedImages",
    "SplitImages",
    "open_images",
    "renumbered",
]
