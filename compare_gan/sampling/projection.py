"""Projection: latents whose images are as close as possible to given ones."""

import dataclasses
import os
from typing import Any

import numpy as np
from keras import ops

from compare_gan import backend, files, paths
from compare_gan.engine.progress import tracked
from compare_gan.errors import UserError, check_positive_integer, check_range
from compare_gan.plots import grids
from compare_gan.sampling.classes import class_labels, labels_in_turn
from compare_gan.sampling.sampler import BATCH_SIZE, Sampler
from compare_gan.types import Tensor

_COLUMNS = 10
_CANDIDATES_SEED = 0x70726F6A
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8  # Adam's.


@dataclasses.dataclass(frozen=True, eq=False)
class Projection:
    """Latents of given images.

    Attributes:
      z: float32 [n, z_dim].
      labels: Classes, int32 [n]; None for an unconditional generator.
      images: Their images, uint8 [n, H, W, C].
      errors: Root of the mean squared difference of pixels from the given images, float64 [n], in
        [0, 1].

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling import Projection
      >>> images = np.zeros([1, 8, 8, 3], np.uint8)
      >>> Projection(np.zeros([1, 4], np.float32), None, images, np.array([0.01])).z.shape
      (1, 4)
    """

    z: np.ndarray
    labels: np.ndarray | None
    images: np.ndarray
    errors: np.ndarray


@dataclasses.dataclass(frozen=True)
class ProjectionOptions:
    """Options of `project`.

    Attributes:
      steps: Steps of Adam; its rate falls to 0 along half a cosine.
      rate: Learning rate at the beginning.
      candidates: Number of random latents, the nearest of which each image begins with.
      noise: Standard deviation of pixels (in [0, 1]) that the latent need not explain: the latent
        is the likeliest one under its distribution and this noise. A larger one keeps latents in
        the region that the generator was trained on.
      feature_weight: Weight of the mean squared difference of the features of `Sampler.features`,
        relative to that of pixels.

    Raises:
      UserError: A value is not allowed.

    Example:
      >>> from compare_gan.sampling import ProjectionOptions
      >>> ProjectionOptions(steps=50).rate
      0.1
    """

    steps: int = 300
    rate: float = 0.1
    candidates: int = 512
    noise: float = 0.05
    feature_weight: float = 0.0

    def __post_init__(self) -> None:
        check_positive_integer("steps", self.steps)
        check_positive_integer("candidates", self.candidates)
        for name in ("rate", "noise", "feature_weight"):
            check_range(name, getattr(self, name))


def project(
    sampler: Sampler, images: Any, labels: Any = None, options: ProjectionOptions | None = None
) -> Projection:
    """Finds latents whose images are close to given ones, by gradient descent (Zhu et al., 2016).

    Works for any generator with normal or uniform latents; images of another distribution than its
    own come out as the nearest that it can draw. Uniform and truncated latents stay in their
    interval.

    Paper: https://arxiv.org/abs/1609.03552.

    Args:
      sampler: The generator.
      images: uint8 [n, H, W, C], of the generator's shape.
      labels: Their classes, as for `Sampler.sample`; None = the class of the nearest candidate.
      options: Options of the search; None = the defaults.

    Raises:
      UserError: The images have another shape, there is no such class, the density of the latents
        is not known, or features are weighted without an extractor.

    Example:
      >>> import numpy as np
      >>> from compare_gan.sampling import Sampler, project
      >>> def network(inputs, training):
      ...     return 0.5 + 0.5 * inputs[0][:, :, None, None]
      >>> sampler = Sampler(network, z_dim=4, image_shape=(4, 1, 1))
      >>> images = np.uint8([[0, 100, 200, 255]]).reshape(1, 4, 1, 1)
      >>> found = project(sampler, images)
      >>> bool(found.errors[0] < 0.01)
      True
    """
    options = options or ProjectionOptions()
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.shape[1:] != tuple(sampler.image_shape):
        height, width, channels = sampler.image_shape
        raise UserError(
            f"The images to project must be uint8 [n, {height}, {width}, {channels}] as those of "
            f"the generator, received {images.dtype} {list(images.shape)}."
        )
    if options.feature_weight > 0 and sampler.features is None:
        raise UserError(
            f"feature_weight = {options.feature_weight:g} needs an extractor: set Sampler.features."
        )
    search = _Search(sampler, options)
    sampler.prepare()
    if labels is not None:
        labels = class_labels(sampler, labels, len(images))
    z, labels = _nearest_candidates(sampler, images, labels, options.candidates)
    parts = [
        search.run(z[rows], images[rows], None if labels is None else labels[rows])
        for rows in _batches(len(images))
    ]
    z = np.concatenate(parts)
    found = sampler.generate(z, labels)
    errors = np.sqrt(np.mean((found / 255.0 - images / 255.0) ** 2, axis=(1, 2, 3)))
    return Projection(z, labels, found, errors)


def write_projection(sampler: Sampler, folder: str, images: Any, found: Projection) -> str:
    """Writes a picture with given images and the images of their latents, and the latents.

    Args:
      sampler: The generator.
      folder: Folder for `projection.png` and `latents.npz` (z, errors and, if there are classes,
        labels).
      images: The given images, uint8 [n, H, W, C].
      found: Their projection.

    Returns:
      `folder`.

    Example:
      >>> from compare_gan.sampling import project, write_projection
      >>> found = project(sampler, images)  # doctest: +SKIP
      >>> write_projection(sampler, "projection", images, found)  # doctest: +SKIP
      'projection'
    """
    paths.check_place(folder)
    rows, names = [], []
    for start in range(0, len(images), _COLUMNS):
        rows += [each[start : start + _COLUMNS] for each in (images, found.images)]
        names += ["given", "found"]
    grids.save_png(grids.class_grid(rows, names), os.path.join(folder, "projection.png"))
    arrays: dict[str, Any] = {"z": found.z, "errors": found.errors}
    if found.labels is not None:
        arrays["labels"] = found.labels
        if sampler.class_names is not None:
            arrays["class_names"] = np.array(list(map(str, sampler.class_names)), np.str_)
    with (
        files.atomic(os.path.join(folder, "latents.npz")) as temporary,
        open(temporary, "wb") as file,
    ):
        np.savez(file, **arrays)
    return folder


def _batches(count: int) -> list[slice]:
    return [slice(start, start + BATCH_SIZE) for start in range(0, count, BATCH_SIZE)]


def _nearest_candidates(
    sampler: Sampler, images: np.ndarray, labels: np.ndarray | None, count: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Of random latents, for each image the one whose image is nearest, and the classes.

    Every class has at least one candidate, if need be more than `count`.
    """
    count = max(count, sampler.num_classes or 1)
    z = sampler.draw_z(count, _CANDIDATES_SEED)
    classes = labels_in_turn(count, sampler.num_classes)
    if labels is None or classes is None:
        best = _nearest(sampler.generate(z, classes), images)
        return z[best], None if classes is None else classes[best]
    chosen = np.empty([len(images), sampler.z_dim], np.float32)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        drawn = sampler.generate(z, np.full(count, label, np.int32))
        chosen[rows] = z[_nearest(drawn, images[rows])]
    return chosen, labels


def _nearest(candidates: np.ndarray, images: np.ndarray) -> np.ndarray:
    """The index of the nearest candidate for each image, by the distance of pixels."""
    a = images.reshape(len(images), -1).astype(np.float32)
    b = candidates.reshape(len(candidates), -1).astype(np.float32)
    return np.argmin(np.sum(b**2, axis=1) - 2 * a @ b.T, axis=1)


class _Search:
    """Gradient descent on latents, in batches, each latent by itself."""

    def __init__(self, sampler: Sampler, options: ProjectionOptions):
        self._sampler = sampler
        self._options = options
        self._compiled = backend.compiled(self._losses_and_slopes, sampler.variables)
        distribution = sampler.distribution
        self._limits = distribution.limits("A projection", sampler.latent_truncation)
        # Of the squared latent, in units of the mean squared difference of pixels.
        self._prior = 0.0
        if distribution.is_normal:
            size = float(np.prod(sampler.image_shape))
            self._prior = options.noise**2 / (size * distribution.stddev**2)

    def run(self, z: np.ndarray, images: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        """The best latents that a descent from `z` comes to, float32 [n, z_dim]."""
        options, target = self._options, images.astype(np.float32) / 255.0
        best, least = z, np.full(len(z), np.inf)
        first, second = np.zeros_like(z), np.zeros_like(z)
        for step in tracked(range(options.steps + 1), "steps of the projection", options.steps + 1):
            losses, slopes = map(ops.convert_to_numpy, self._compiled(z, target, labels))
            better = losses < least
            best, least = np.where(better[:, None], z, best), np.where(better, losses, least)
            first = _BETA1 * first + (1 - _BETA1) * slopes
            second = _BETA2 * second + (1 - _BETA2) * slopes**2
            rate = 0.5 * options.rate * (1 + np.cos(np.pi * step / options.steps))
            corrected = second / (1 - _BETA2 ** (step + 1))
            moved = first / (1 - _BETA1 ** (step + 1)) / (np.sqrt(corrected) + _EPSILON)
            z = np.clip(z - rate * moved, *self._limits).astype(np.float32)
        return best

    def _losses_and_slopes(
        self, z: Tensor, target: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        losses = self._losses(z, target, labels)
        return losses, backend.gradient(lambda each: self._losses(each, target, labels), z)

    def _losses(self, z: Tensor, target: Tensor, labels: Tensor | None) -> Tensor:
        sampler, weight = self._sampler, self._options.feature_weight
        y = None if labels is None else ops.one_hot(labels, sampler.num_classes, dtype="float32")
        images = sampler(z, y)
        losses = ops.mean(ops.square(images - target), axis=(1, 2, 3))
        if weight > 0:
            assert sampler.features is not None  # As `project` has checked.
            differences = sampler.features(images) - sampler.features(target)
            losses = losses + weight * ops.mean(ops.square(differences), axis=1)
        return losses + self._prior * ops.sum(ops.square(z), axis=1)
