"""The parts of a page that cannot be shown, and why."""

import logging
from collections.abc import Callable
from typing import TypeVar

from compare_gan.errors import DivergenceError, UserError
from compare_gan.terminal import sentence_of

_log = logging.getLogger(__name__)

_Part = TypeVar("_Part")


class AbsentError(UserError):
    """A part of a page cannot be shown; the message is a sentence that says why.

    Args:
      reason: The sentence.
      expected: Whether many runs do not have the part, so that the page need not mention it.

    Attributes:
      expected: See above.
    """

    def __init__(self, reason: str, expected: bool = False):
        super().__init__(reason)
        self.expected = expected


class Parts:
    """Collects parts, and the reasons for those that are absent.

    Attributes:
      absent: For each part that cannot be shown, by name, a sentence that says why; without those
        whose absence is expected.

    Example:
      >>> from compare_gan.report.absent import AbsentError, Parts
      >>> parts = Parts()
      >>> def scores():
      ...     raise AbsentError("No checkpoint has been scored.")
      >>> parts.collect("scores", scores), parts.collect("step", lambda: 5), parts.absent
      (None, 5, {'scores': 'No checkpoint has been scored.'})
    """

    def __init__(self) -> None:
        self.absent: dict[str, str] = {}

    def collect(self, name: str, make: Callable[[], _Part]) -> _Part | None:
        """A part; None, with the reason noted, if it cannot be made.

        A page shows what there is: whatever goes wrong with one part must not cost the others.

        Args:
          name: Name of the part.
          make: Function that makes it.
        """
        try:
            return make()
        except (UserError, DivergenceError, OSError) as error:
            if not getattr(error, "expected", False):
                self.absent[name] = sentence_of(error)
        except Exception as error:
            _log.warning("The page lacks a part, '%s'.", name, exc_info=True)
            self.absent[name] = f"It could not be computed: {type(error).__name__}: {error}"
        return None
