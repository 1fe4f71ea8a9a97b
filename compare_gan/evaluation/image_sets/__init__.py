"""Sets of images: files, arrays, splits of data sets, images of a sampler, and given statistics.

Names are imported when they are first used (see `compare_gan.evaluation`).
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
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

_MODULES = {
    "generated": ("AS_IN_THE_DATA", "IN_TURN", "GeneratedImages"),
    "npz": ("GivenStatistics",),
    "opening": ("open_images",),
    "sets": ("ImageSet", "IndexedImages", "renumbered"),
    "split": ("SplitImages",),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
