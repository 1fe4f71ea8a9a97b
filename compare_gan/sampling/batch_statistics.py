"""Statistics of batches of generated images, which some generators need before they are sampled."""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gin

from compare_gan.engine.progress import tracked
from compare_gan.errors import check_positive_integer
from compare_gan.layers.moving_statistics import estimating_moving_statistics
from compare_gan.layers.standing_statistics import (
    accumulating_standing_statistics,
    reset_standing_statistics,
)
from compare_gan.sampling.classes import labels_in_turn

if TYPE_CHECKING:
    from compare_gan.sampling.sampler import Sampler


@gin.configurable("standing_statistics")
@dataclasses.dataclass(frozen=True)
class StandingStatistics:
    """Options of the batch-norm moments for sampling (gin scope `standing_statistics`).

    Only for generators whose batch norm uses standing statistics instead of moving averages.

    Attributes:
      num_batches: Number of batches of generated images that the moments are averaged over.
      batch_size: Images in each batch.
      seed: Seed of their latents.
      keep: Use the statistics that the generator has, such as those of an imported model; they are
        accumulated only if there are none.

    Raises:
      UserError: `num_batches` or `batch_size` is not positive.

    Example:
      >>> from compare_gan.sampling import StandingStatistics
      >>> StandingStatistics(num_batches=10).seed
      0
    """

    num_batches: int = 100
    batch_size: int = 64
    seed: int = 0
    keep: bool = False

    def __post_init__(self) -> None:
        for name in ("num_batches", "batch_size"):
            check_positive_integer(f"standing_statistics.{name}", getattr(self, name))


DEFAULTS = StandingStatistics()


def accumulate(sampler: "Sampler", generate: Callable[..., Any]) -> None:
    """Replaces the standing statistics of a sampler's network.

    Args:
      sampler: The sampler.
      generate: Function from latents and int labels to the network's images.
    """
    reset_standing_statistics(sampler.network)
    with accumulating_standing_statistics(sampler.network):
        _run(sampler, generate, "batches for standing statistics")


def estimate(sampler: "Sampler", generate: Callable[..., Any]) -> None:
    """Replaces the moving statistics of a sampler's network, see `layers.moving_statistics`.

    Args:
      sampler: The sampler.
      generate: See `accumulate`; it must not be traced elsewhere.
    """
    with estimating_moving_statistics(sampler.network, sampler.standing_statistics.num_batches):
        _run(sampler, generate, "batches for the statistics of an average")


def _run(sampler: "Sampler", generate: Callable[..., Any], what: str) -> None:
    options = sampler.standing_statistics
    num = options.num_batches * options.batch_size
    z, labels = sampler.draw_z(num, options.seed), labels_in_turn(num, sampler.num_classes)
    for start in tracked(range(0, num, options.batch_size), what, options.num_batches):
        rows = slice(start, start + options.batch_size)
        generate(z[rows], None if labels is None else labels[rows])
