"""Scores of any two sets of images, without a GAN."""

import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import PIL.Image

from compare_gan import files, registry
from compare_gan.datasets import Dataset
from compare_gan.datasets.auto_extractor import AUTO, chosen_extractor
from compare_gan.engine import ALONE, Peers
from compare_gan.engine.progress import announced
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.evaluation import protocols
from compare_gan.evaluation.checks import check_sets, common_classes
from compare_gan.evaluation.class_frequencies import frequency_note
from compare_gan.evaluation.image_sets import (
    GivenStatistics,
    ImageSet,
    SplitImages,
    open_images,
    renumbered,
)
from compare_gan.evaluation.measuring import measure
from compare_gan.evaluation.no_extractor import NO_EXTRACTOR
from compare_gan.evaluation.provenance import NONE, Provenance
from compare_gan.evaluation.resolutions import resolution_note
from compare_gan.evaluation.results import VERSION, ResultRow
from compare_gan.evaluation.statistics import Images
from compare_gan.metrics.base import Metric
from compare_gan.metrics.extractors import Extractor

_METRICS = ("fid",)
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SetScores:
    """Scores of a set of images.

    Attributes:
      row: The scores with their provenance.
      real: Name of the reference; `none` if nothing is compared with one.
      fake: Name of the set that is scored.
      left_out: Broken files of both sets, each with the reason.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation import score_sets
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> result = score_sets(images, images[:4], metrics=["memorization_pixels"])
      >>> sorted(result.scores)
      ['memorization_pixels', 'memorization_pixels_authenticity']
    """

    row: ResultRow
    real: str
    fake: str
    left_out: Sequence[str]

    @property
    def scores(self) -> dict[str, float]:
        """Scores by name, which contains the extractor's."""
        return {name: score.mean for name, score in self.row.scores.items()}

    @property
    def provenance(self) -> Provenance:
        """Provenance of the scores, without values that only the generator of the images knows."""
        return self.row.provenance

    @property
    def pictures(self) -> Mapping[str, PIL.Image.Image]:
        """Pictures that metrics have drawn, by the names of scores, if requested."""
        return self.row.pictures

    @property
    def fake_hash(self) -> str:
        """Hash of the content of the set that is scored, in any order."""
        return self.row.fake_hash

    def to_json(self) -> str:
        """All but the pictures, indented; `ResultRow.from_json` reads it."""
        values = {
            "version": VERSION,
            "real": self.real,
            "fake": self.fake,
            "scores": self.scores,
            "protocol": dataclasses.asdict(self.provenance),
            "protocol_name": self.row.protocol_name,
            "metrics": list(self.row.metrics),
            "fake_hash": self.fake_hash,
            "left_out": list(self.left_out),
            "notes": list(self.row.notes),
        }
        return files.json_text(values)


def score_sets(
    real: Any,
    fake: Any,
    metrics: Sequence[Any] = (),
    extractor: Any = AUTO,
    *,
    num_real: int | None = None,
    num_fake: int | None = None,
    batch_size: int = 100,
    seed: int = 0,
    protocol: str | None = None,
    on_error: str = "stop",
    pictures: bool = False,
    progress: bool = False,
    background: str = "white",
    devices: Sequence[Any] = (),
) -> SetScores:
    """Scores a set of images, on its own or against a reference.

    Images are read batch by batch, in an order that `seed` shuffles (splits of data sets and
    generated images have their own order): memory grows with their number only for metrics that
    need all of them at once. Images of several sizes in a set are each resized by the extractor's
    rule; metrics that look at the images themselves refuse them.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation import score_sets
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> result = score_sets(images, images[:4], metrics=["memorization_pixels"])
      >>> result.provenance.num_real, result.provenance.num_fake
      (8, 4)

    Args:
      real: The reference, see `open_images`; None if no metric compares with one.
      fake: The images to score, see `open_images`.
      metrics: Registered names, classes or instances of `Metric`; FID if empty.
      extractor: A registered name, a class or an instance of `Extractor`; `auto` is `fashion_cnn`
        if the name of a set is Fashion-MNIST, else `inception`.
      num_real: Number of real images to use; None = all.
      num_fake: Number of images to score; None = all.
      batch_size: Images in one forward pass of the extractor.
      seed: Seed of the order, and so of the images that are chosen if not all are used (of splits,
        always the first in the fixed order of evaluation).
      protocol: Name of a protocol, which sets metrics, extractor, num_real and num_fake.
      on_error: Reaction to a broken file: `stop` or `skip`, see `open_images`.
      pictures: Let metrics draw.
      progress: Report progress on standard error.
      background: Colour that images with an alpha channel are composited over, see `open_images`.
      devices: Devices that share the extraction of features, see `engine.peers`; empty = the
        engine's default.

    Raises:
      UserError: A name is not known, a set cannot be read, is too small, or does not suit a metric.
    """
    chosen = protocols.get(protocol) if protocol else None
    if chosen:
        _refuse_arguments(chosen, metrics, extractor, num_real, num_fake)
        extractor, num_real, num_fake = chosen.extractor, chosen.num_real, chosen.num_fake
    check_positive_integer("batch_size", batch_size)
    built = _build_metrics(chosen, metrics)
    real_set, fake_set, left_out = _open(
        real, fake, chosen, on_error=on_error, progress=progress, background=background
    )
    if real_set is not None:
        real_set = _take(real_set, num_real, seed)
    fake_set = _take(fake_set, num_fake, seed)
    check_sets(built, real_set, fake_set)
    with announced("Loading the extractor") if progress else contextlib.nullcontext():
        extractor = _build_extractor(extractor, built, chosen, real_set, fake_set)
    numbers = _check_applicable(built, extractor, real_set, fake_set)
    compared = any(metric.uses_real for metric in built.values())
    notes: list[str] = []
    if compared:
        found = (note(real_set, fake_set) for note in (frequency_note, resolution_note))
        notes = [note for note in found if note]
    for note in notes:
        _log.warning("%s", note)
    if isinstance(fake_set, ImageSet):
        fake_set = renumbered(fake_set, numbers)
    if not compared:
        real_set = None
    row = measure(
        list(built.values()),
        extractor,
        real_set,
        fake_set,
        batch_size=batch_size,
        pictures=pictures,
        progress=progress,
        peers=Peers(tuple(devices)) if devices else ALONE,
    )
    return SetScores(
        row=dataclasses.replace(
            row,
            metrics=tuple(built),
            protocol_name=protocol or "",
            notes=(*row.notes, *notes),
        ),
        real=NONE if real_set is None else real_set.name,
        fake=fake_set.name,
        left_out=left_out,
    )


def _refuse_arguments(
    protocol: protocols.Protocol,
    metrics: Sequence[Any],
    extractor: Any,
    num_real: int | None,
    num_fake: int | None,
) -> None:
    """Raises UserError if an argument is given that the protocol sets."""
    given: dict[str, Any] = {"metrics": metrics, "num_real": num_real, "num_fake": num_fake}
    if extractor not in (AUTO, protocol.extractor):
        given["extractor"] = extractor
    for name, value in given.items():
        if value:
            raise UserError(
                f"The protocol '{protocol.name}' sets {name}: leave it out, received {value!r}."
            )


def _build_metrics(
    protocol: protocols.Protocol | None, metrics: Sequence[Any]
) -> dict[str, Metric]:
    """The metrics by the names that the user gave."""
    if protocol:
        return dict(zip(protocol.metrics, protocol.make_metrics(), strict=True))
    if isinstance(metrics, str):
        raise UserError(f"metrics must be a list of names, received {metrics!r}.")
    built: dict[str, Metric] = {}
    for metric in metrics or _METRICS:
        is_built = isinstance(metric, Metric)
        made = metric if isinstance(metric, Metric) else registry.get("metric", metric)()
        name = metric if isinstance(metric, str) else getattr(metric, "__name__", made.name)
        # The same name twice is the same metric.
        if any(m.name == made.name for n, m in built.items() if is_built or n != name):
            raise UserError(
                f"The scores of two metrics '{made.name}' would have the same name: compute them "
                "in separate calls."
            )
        built[name] = made
    return built


def _open(
    real: Any, fake: Any, protocol: protocols.Protocol | None, **options: Any
) -> tuple[Images | None, Images, list[str]]:
    """Both sets, if `real` is not None, and their broken files; see `open_images` for `options`."""

    def choose_split(dataset: Dataset) -> str | None:
        return protocol.split_of(dataset.name, dataset.splits) if protocol else None

    real_set = None
    if real is not None:
        real_set = open_images(real, choose_split=choose_split, **options)
    fake_set = open_images(fake, **options)
    if protocol:
        _check_suits(protocol, real_set, fake_set)
    left_out = [
        f"{images.name}: {text}"
        for images in (real_set, fake_set)
        if images is not None
        for text in images.left_out
    ]
    return real_set, fake_set, left_out


def _check_suits(protocol: protocols.Protocol, real: Images | None, fake: Images) -> None:
    """Raises UserError if the protocol cannot be followed with these sets."""
    for what, images in (("real", real), ("fake", fake)):
        if images is None:
            continue
        if isinstance(images, GivenStatistics):
            raise UserError(
                f"The protocol '{protocol.name}' sets the number of images, which "
                f"'{images.name}' (mu, sigma) does not record."
            )
        protocol.check_count(what, images.name, images.count)
    if isinstance(real, SplitImages):
        split = protocol.split_of(real.dataset.name, real.dataset.splits)
        if split not in (None, real.split):
            raise UserError(
                f"The protocol '{protocol.name}' compares with the split '{split}', received "
                f"'{real.name}'."
            )


def _take(images: Images, num: int | None, seed: int) -> Images:
    """`num` of the images; given statistics as they are."""
    if isinstance(images, GivenStatistics):
        if num is None:
            return images
        raise UserError(
            f"'{images.name}' holds statistics of images (mu, sigma), from which {num} images "
            "cannot be taken: leave the number out."
        )
    if num is None:
        return images.take(images.count, seed)
    check_positive_integer("The number of images", num)
    if num > images.count:
        raise UserError(f"'{images.name}' holds {images.count} images, fewer than {num}.")
    return images.take(num, seed)


def _build_extractor(
    extractor: Any,
    built: Mapping[str, Metric],
    protocol: protocols.Protocol | None,
    real: Images | None,
    fake: Images,
) -> Extractor:
    if not any(metric.needs & {"features", "logits"} for metric in built.values()):
        return NO_EXTRACTOR
    names = [images.name for images in (real, fake) if images is not None]
    extractor = chosen_extractor(extractor, names)
    if not isinstance(extractor, Extractor):
        extractor = registry.get("extractor", extractor)()
    if protocol:
        protocol.check_extractor(extractor)
    return extractor


def _check_applicable(
    built: Mapping[str, Metric], extractor: Extractor, real: Images | None, fake: Images
) -> np.ndarray | None:
    """Raises UserError if a metric does not apply to these sets.

    Returns:
      The array from the labels of `fake` to those of `real`, if any metric needs it.
    """
    labelled = [metric for metric in built.values() if "labels" in metric.needs]
    class_names, numbers = None, None
    if labelled:
        compared = any(metric.uses_real for metric in labelled)
        class_names, numbers = common_classes(real, fake, compared)
    for name, metric in built.items():
        reason = metric.inapplicable(extractor, class_names)
        if not reason and fake.shape:
            reason = metric.inapplicable_to(fake.shape)
        if reason:
            raise UserError(f"'{name}' cannot be applied here: {reason}.")
    return numbers
