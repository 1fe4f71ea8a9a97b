"""A note for two sets of images whose sizes differ."""

from compare_gan.evaluation.image_sets import ImageSet
from compare_gan.evaluation.statistics import Images


def resolution_note(real: Images | None, fake: Images) -> str | None:
    """A note if the images of two sets differ in size; None otherwise, or if sizes are not known.

    Extractors resize images, so that such sets can be compared; small ones are blurred by it.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation.image_sets import open_images
      >>> from compare_gan.evaluation.resolutions import resolution_note
      >>> real, fake = (open_images(np.zeros([2, n, n, 3], np.uint8)) for n in (64, 32))
      >>> resolution_note(real, fake).split(": ")[0]
      'The real images are 64x64x3, the fake images 32x32x3'

    Args:
      real: The reference; None without one.
      fake: The images that are scored.
    """
    if not isinstance(real, ImageSet) or not isinstance(fake, ImageSet):
        return None
    if (real.shape and real.shape[:2]) == (fake.shape and fake.shape[:2]):
        return None
    return (
        f"The real images are {real.shape_text}, the fake images {fake.shape_text}: the extractor "
        "resizes both, and scores that compare them measure the difference in resolution too; "
        "resize the larger images to the size of the smaller ones if it is not to count."
    )
