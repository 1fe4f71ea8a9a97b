"""What the runs of a study will take, before the first of them has finished."""

import dataclasses
import statistics
from collections.abc import Sequence

from compare_gan import config, engine
from compare_gan.studies.definition import Variant
from compare_gan.training.estimates import (
    estimate_disk,
    operations_per_second,
    step_operations,
    stored_bytes,
)
from compare_gan.training.experiment import Experiment
from compare_gan.training.state import TrainState

_MOST_BUILT = 8  # Building the networks of a variant takes seconds.


@dataclasses.dataclass(frozen=True)
class Forecast:
    """What a run of a variant takes.

    Attributes:
      seconds: Seconds that the arithmetic of its training takes on one device, at the rate of a
        product of matrices there: a lower bound, without start and evaluation.
      size: Bytes of its checkpoints and pictures, about.
    """

    seconds: float
    size: int


def forecast(variants: Sequence[Variant]) -> dict[str, Forecast]:
    """What a run of each variant takes, by its name.

    The networks of up to eight variants are built. With more, these are spread over all, and the
    others have the means of their seconds per step and of their sizes.

    Args:
      variants: The variants, whose configs have been checked.

    Example:
      >>> from compare_gan.studies import define
      >>> from compare_gan.studies.forecast import forecast
      >>> study = define(base="supervised_fashion_mnist", steps=100)
      >>> found = forecast(study.variants)  # doctest: +SKIP
      >>> found["run"].seconds  # doctest: +SKIP
      9.2
    """
    count = min(len(variants), _MOST_BUILT)
    built = {variants[i * len(variants) // count].name for i in range(count)}
    with engine.announced("Estimating time and disk space"):
        rate = operations_per_second()
        found = {each.name: _of(each, rate) for each in variants if each.name in built}
    if not found:
        return {}
    steps = {each.name: each.steps for each in variants}
    pace = statistics.fmean(each.seconds / steps[name] for name, each in found.items())
    size = round(statistics.fmean(each.size for each in found.values()))
    return {name: found.get(name, Forecast(pace * steps[name], size)) for name in steps}


def _of(variant: Variant, rate: float) -> Forecast:
    with config.bindings_kept():
        config.parse((), [variant.config])
        experiment = Experiment.from_gin()
        gan, options = experiment.make_gan(), experiment.options
        state = TrainState(gan, 0, options.optimization, options.batch_size)
        operations = step_operations(gan, options.batch_size)
        size = estimate_disk(experiment, stored_bytes(state)).total
    return Forecast(variant.steps * operations / rate, size)
