"""What result rows say of how two sets of images were scored."""

import logging

from compare_gan.evaluation.image_sets import IndexedImages
from compare_gan.evaluation.npz_files import GivenStatistics
from compare_gan.evaluation.results import NOT_RECORDED, Protocol
from compare_gan.evaluation.set_statistics import Gathered
from compare_gan.version import code_version

_log = logging.getLogger(__name__)


def set_protocol(
    sets, of_real: Gathered, of_fake: Gathered, extractor, seed: int, options: dict[str, object]
) -> Protocol:
    """The protocol of the scores; what only the maker of the images knows is `not recorded`.

    Args:
      sets: The reference, which may be None, and the images that are scored.
      of_real: What was gathered of the one.
      of_fake: And of the other.
      extractor: The extractor.
      seed: Of the order of images, where they have not one of their own.
      options: Of the metrics, see `metric_options`.
    """
    shapes = [gathered.shape for gathered in (of_real, of_fake) if gathered.shape]
    return Protocol(
        dataset=of_real.dataset,
        dataset_hash=of_real.content_hash,
        split=of_real.split,
        num_real=of_real.num_images,
        num_fake=of_fake.num_images,
        resolution=" against ".join(dict.fromkeys(shapes)),
        resizer=_resizer(extractor, sets),
        extractor=extractor.name,
        extractor_hash=extractor.weights_hash,
        weights=NOT_RECORDED,
        batch_norm=NOT_RECORDED,
        labels=NOT_RECORDED,
        latents=NOT_RECORDED,
        truncation=NOT_RECORDED,
        # Splits of data sets have one order.
        seeds=[seed] if any(isinstance(images, IndexedImages) for images in sets) else [],
        metric_options=options,
        code_version=code_version(),
    )


def _resizer(extractor, sets) -> str:
    """With a warning where statistics were given: they do not tell how images were resized."""
    given = [images.name for images in sets if isinstance(images, GivenStatistics)]
    for name in given:
        _log.warning(
            "'%s' does not tell how its images were resized: the score is right only if they were "
            "as here (%s).",
            name,
            extractor.resizer,
        )
    return "; ".join([extractor.resizer, *(f"of '{name}' {NOT_RECORDED}" for name in given)])
