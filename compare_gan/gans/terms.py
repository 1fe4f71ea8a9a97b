"""A loss with its named terms, and how penalties join it."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from compare_gan.backend import computed_when
from compare_gan.errors import UserError
from compare_gan.penalties import Penalty
from compare_gan.registry import call_with_requested
from compare_gan.types import Tensor


class LossTerms(NamedTuple):
    """A scalar to minimise with its named parts.

    Attributes:
      total: Float scalar, weights applied.
      parts: Losses by name, float scalars without their weights; logged as `loss/<name>`.
      measures: Accuracies by name, float scalars that are no losses; logged as `accuracy/<name>`.

    Example:
      >>> from compare_gan.gans import LossTerms
      >>> adversarial = LossTerms(1.5, {"d_loss": 1.5})
      >>> adversarial.plus(LossTerms(0.5, {"rotation_loss": 0.25}))
      LossTerms(total=2.0, parts={'d_loss': 1.5, 'rotation_loss': 0.25}, measures={})
    """

    total: Tensor
    parts: dict[str, Tensor]
    measures: dict[str, Tensor] = {}  # noqa: RUF012  # Never changed in place.

    def plus(self, other: "LossTerms") -> "LossTerms":
        """The sum of both totals, with the parts and measures of both."""
        return LossTerms(
            self.total + other.total, self.parts | other.parts, self.measures | other.measures
        )


def add_penalties(
    terms: LossTerms, penalties: Iterable[Penalty], network: str, update: Any, **available: Any
) -> LossTerms:
    """The loss of a network with the terms of the penalties that join it.

    Args:
      terms: The loss without penalties.
      penalties: All penalties of the GAN.
      network: `discriminator` or `generator`.
      update: Number of this network's finished updates. A penalty with `interval` k is computed
        if k divides it and is zero in `parts` otherwise, so that means over steps are correct.
      **available: Values that a term may request, by name; see `penalties.AVAILABLE`.
    """
    total, parts = terms.total, dict(terms.parts)
    for penalty in penalties:
        term = penalty.term(network)
        if term is None:
            continue
        if penalty.interval == 1:
            value = call_with_requested(term, **available)
        else:
            value = computed_when(
                update % penalty.interval == 0,
                functools.partial(_times, penalty.interval, term, available),
                penalty.variables,
                penalty.name,
            )
        weight = call_with_requested(
            penalty.weight_at, step=available["step"], x=available["x"], network=network
        )
        total = total + weight * value
        parts[part_name(penalty, network)] = value
    return LossTerms(total, parts, terms.measures)


def check_names(penalties: Iterable[Penalty]) -> None:
    """Raises UserError if a penalty has the name under which another loss is logged."""
    used = {"discriminator", "generator", "d_loss", "d_loss_real", "d_loss_fake", "g_loss"}
    for penalty in penalties:
        for network in ("discriminator", "generator"):
            name = part_name(penalty, network)
            if penalty.term(network) is None:
                continue
            if name in used:
                raise UserError(
                    f"The penalty '{penalty.name}' would be logged as 'loss/{name}', which is the "
                    "name of another loss: give it another name (its attribute `name`)."
                )
            used.add(name)


def part_name(penalty: Penalty, network: str) -> str:
    """The name of a penalty's term among the parts of a network's loss."""
    in_both = penalty.term("discriminator") and penalty.term("generator")
    return f"{penalty.name}_{network}" if in_both else penalty.name


def _times(factor: int, term: Callable[..., Any], available: Mapping[str, Any]) -> Any:
    return factor * call_with_requested(term, **available)
