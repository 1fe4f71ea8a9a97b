"""The provenance of scores: two scores may be compared only if it matches."""

import dataclasses
from collections.abc import Collection, Sequence

NOT_RECORDED = "not recorded"
NONE = "none"
# Fields that matter only where they are not `NONE`: a generator without labels may be compared with
# any other, and images without an alpha channel are the same over every background.
MAY_BE_NONE = ("labels", "background")
# Entry of `metric_options`: hash of statistics, stored with the reference, that FID used.
STORED_STATISTICS = "fid.stored_statistics"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Provenance:
    """The way in which scores were measured; scores are comparable only if all of it matches.

    A value that is not known is `NOT_RECORDED`.

    Attributes:
      dataset: Name of the data set, or of the place that the reference comes from.
      dataset_hash: Hash of the content of the reference images and labels.
      split: The reference split.
      num_real: Number of reference images.
      num_fake: Number of generated images in each set.
      resolution: Height x width x channels.
      background: Colour that images with an alpha channel were composited over; `none` if no image
        had one.
      resizer: Method that resizes images for the extractor.
      extractor: Name of the extractor.
      extractor_hash: Hash of its weights.
      weights: Kind of the generator's weights: `ema`, `raw` or, for example, `ema of length 0.1`.
      batch_norm: Source of the generator's moments: moving averages or standing statistics.
      labels: Labels of the generated images: `in turn`, `as in the data` (with the frequencies of
        the reference's classes, which differ) or `none` (unconditional).
      latents: Distribution of the latents.
      truncation: Truncation of the latents, or of the styles of StyleGAN2.
      seeds: One for each set of samples that a score is averaged over.
      metric_options: Options of the metrics, as `metric.option`.
      code_version: Version of this library.

    Example:
      >>> import numpy as np
      >>> from compare_gan.evaluation import score_sets
      >>> images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
      >>> result = score_sets(images, images[:4], metrics=["memorization_pixels"])
      >>> result.provenance.num_fake, result.provenance.resolution
      (4, '4x4x1')
    """

    dataset: str
    dataset_hash: str
    split: str
    num_real: int | str
    num_fake: int | str
    resolution: str
    background: str
    resizer: str
    extractor: str
    extractor_hash: str
    weights: str
    batch_norm: str
    labels: str
    latents: str
    truncation: float | str
    seeds: Sequence[int]
    metric_options: dict[str, object]
    code_version: str


def metric_of(option: str) -> str:
    """The metric that an entry of `Provenance.metric_options` belongs to."""
    return option.split(".", 1)[0]


def compared_options(options: object, scores: Collection[str]) -> object:
    """The options of metrics as rows are compared: FID states also that it used no statistics.

    Example:
      >>> from compare_gan.evaluation.provenance import compared_options
      >>> compared_options({"kid.degree": 3}, ["fid", "kid"])
      {'fid.stored_statistics': 'none', 'kid.degree': 3}

    Args:
      options: `Provenance.metric_options`.
      scores: Names of the scores of the row.
    """
    if isinstance(options, dict) and metric_of(STORED_STATISTICS) in scores:
        return {STORED_STATISTICS: NONE} | options
    return options
