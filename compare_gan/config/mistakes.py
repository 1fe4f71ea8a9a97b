"""Mistakes of a config, collected so that all are reported at once."""

import contextlib
import re
from collections.abc import Iterator

from compare_gan.config.messages import is_about_a_missing_value
from compare_gan.errors import MistakesError, UserError

_PLACE = re.compile(r"^(.*?, line \d+|--gin_bindings): ")
_PARAMETER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")


class Mistakes:
    """Collects the mistakes that independent checks find.

    Of several mistakes in one line, or about one parameter, the first counts: the others are its
    consequences.

    Example:
      >>> from compare_gan.config import Mistakes
      >>> from compare_gan.errors import UserError
      >>> mistakes = Mistakes()
      >>> for name in ("a.x", "b.y"):
      ...     with mistakes.noted():
      ...         raise UserError(f"{name} must be a number.")
      >>> len(mistakes.errors)
      2

    Attributes:
      errors: The mistakes in the order in which they were found.
    """

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    @contextlib.contextmanager
    def noted(self) -> Iterator[None]:
        """Notes a UserError that is raised inside, and goes on after the context.

        After a first mistake, other errors may be its consequences, and so may missing values,
        whose bindings could not be read: both are left out.
        """
        try:
            yield
        except MistakesError as several:
            for error in several.errors:
                self._note(error)
        except UserError as error:
            self._note(error)
        except Exception:
            if not self.errors:
                raise

    def raise_any(self) -> None:
        """Raises the mistakes, if there are any.

        Raises:
          UserError: The only mistake.
          MistakesError: All of several mistakes.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise MistakesError(self.errors)

    def _note(self, error: UserError) -> None:
        if self.errors and is_about_a_missing_value(error):
            return
        subjects = _subjects(error)
        if not any(subjects & _subjects(other) for other in self.errors):
            self.errors.append(error)


def _subjects(error: UserError) -> set[str]:
    """The line and the first parameter of a mistake; the sentence if it has neither."""
    text = str(error).split("\n", 1)[0]
    place = _PLACE.match(text)
    sentence = text[place.end() :] if place else text
    subjects = {sentence}
    if place and ", line " in place[1]:
        subjects.add(place[1])
    if parameter := _PARAMETER.search(sentence):
        subjects.add(parameter[0])
    return subjects
