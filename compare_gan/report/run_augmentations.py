"""What the discriminator sees: training images before and after each augmentation of a run."""

import copy
from collections.abc import Iterable, Sequence

import numpy as np
from keras import ops

from compare_gan.augmentations import AdaptiveAugmentation, Augmentation
from compare_gan.gans.noise import Noise
from compare_gan.report.absent import AbsentError
from compare_gan.report.markup import number
from compare_gan.report.run_images import Rows
from compare_gan.report.run_records import Courses

_COLUMNS = 10
_SEED = 0


def show_augmentations(
    augmentations: Sequence[Augmentation],
    real: Rows | None,
    fake: Rows | None,
    courses: Courses | None,
    step: int,
) -> Rows:
    """The same training images in each row: as they are, after each augmentation, after all.

    Args:
      augmentations: Augmentations of the run.
      real: Training images; None if there are none.
      fake: Samples, which some augmentations put in their place; None = none are put there.
      courses: The course of values of the training, among them probabilities that adapt.
      step: Step of the run.

    Raises:
      AbsentError: There is no augmentation, or no training image.
    """
    if not augmentations:
        raise AbsentError("The run augments no images.", expected=True)
    if real is None:
        raise AbsentError("No training images are stored.")
    images = _one_of_each(real)
    fakes = images
    if fake is not None and fake.images.shape[2:] == real.images.shape[2:]:
        fakes = np.resize(_one_of_each(fake), images.shape)
    shown = [_as_trained(each, courses) for each in augmentations]
    names, rows = ["as they are"], [images]
    for augmentation in shown:
        values = [f"{k} = {number(float(v))}" for k, v in augmentation.measures(step).items()]
        names.append(", ".join([augmentation.name, *values]))
        rows.append(augmented([augmentation], images, fakes, step))
    if len(shown) > 1:
        names.append("all of them")
        rows.append(augmented(shown, images, fakes, step))
    return Rows(
        images=np.stack(rows),
        names=names,
        step=step,
        origin=f"Training images as the discriminator saw them at step {step:,}, clipped to the "
        "range of images.",
    )


def augmented(
    augmentations: Iterable[Augmentation],
    images: np.ndarray,
    fakes: np.ndarray | None = None,
    step: int = 0,
    seed: int = _SEED,
) -> np.ndarray:
    """Real images as a discriminator step shows them.

    Args:
      augmentations: Augmentations, applied in this order.
      images: uint8 [n, H, W, C].
      fakes: Generated images, uint8 [n, H, W, C], of which some augmentations show some as real;
        None = `images`.
      step: Number of finished generator steps.
      seed: Seed of the draws.

    Returns:
      uint8 [n, H, W, C], clipped.

    Example:
      >>> import numpy as np
      >>> from compare_gan.augmentations import DiffAugment
      >>> from compare_gan.report.run_augmentations import augmented
      >>> images = np.zeros((3, 8, 8, 1), np.uint8)
      >>> int(augmented([DiffAugment("cutout")], images).max())
      128
    """
    parts, noise = list(augmentations), Noise(np.array([seed, 0], np.int32))
    x, g = (
        ops.convert_to_tensor(each.astype(np.float32) / 255.0)
        for each in (images, images if fakes is None else fakes)
    )
    for part in parts:
        x, _ = part.replace_real((x, None), (g, None), noise.uniform, step)
    for part in parts:
        x = part(x, noise.uniform, noise.normal, step)
    return np.round(255.0 * np.clip(ops.convert_to_numpy(x), 0.0, 1.0)).astype(np.uint8)


def _one_of_each(rows: Rows) -> np.ndarray:
    """An image of each class; without classes, the first images."""
    pictures = rows.images[:, 0] if rows.names else rows.images.reshape(-1, *rows.images.shape[2:])
    return pictures[:_COLUMNS]


def _as_trained(augmentation: Augmentation, courses: Courses | None) -> Augmentation:
    """The augmentation with the last probability of the run, if it adapts."""
    if not isinstance(augmentation, AdaptiveAugmentation) or augmentation.p is not None:
        return augmentation
    course = (
        [] if courses is None else courses.values.get(f"augmentation/{augmentation.name}_p", [])
    )
    values = [value for value in course if value is not None]
    trained = copy.copy(augmentation)
    trained.p = values[-1] if values else 0.0
    return trained
