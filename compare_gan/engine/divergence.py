"""Divergence of a training, and the way on after it."""

import dataclasses
from collections.abc import Callable, Sequence

_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Divergence:
    """A finding that a training has diverged.

    Attributes:
      reason: The finding, a sentence without its period.
      terms: Names of the values or variables that are not finite; empty if a callback found it.
    """

    reason: str
    terms: Sequence[str] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> "Divergence":
        """The finding that values or variables of these names, at least one, are not finite.

        Example:
          >>> from compare_gan.engine.divergence import Divergence
          >>> Divergence.of(["loss", "a", "b", "c", "d"])
          Divergence(reason='loss, a, b, 2 more are not finite', terms=['loss', 'a', 'b', '2 more'])
        """
        terms = list(names[:_SHOWN])
        if len(names) > _SHOWN:
            terms.append(f"{len(names) - _SHOWN} more")
        return cls(f"{', '.join(terms)} {'is' if len(terms) == 1 else 'are'} not finite", terms)


@dataclasses.dataclass
class Rollback:
    """The way on after a divergence: back to the newest checkpoint, on with other batches.

    Equal batches would lead to the same divergence again.

    Attributes:
      remaining: Number of times that a training may go back; `fit` counts it down.
      change_batches: Called in every process, when the checkpoint has been restored and before the
        loop makes its batches anew, with the step of the divergence and the terms that were not
        finite.

    Example:
      >>> from compare_gan import engine
      >>> engine.Rollback(remaining=3, change_batches=lambda step, terms: None).remaining
      3
    """

    remaining: int
    change_batches: Callable[[int, Sequence[str]], None]
