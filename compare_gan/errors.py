"""Mistakes of the user, as opposed to faults of the program, and the checks that report them."""

import difflib
import math
from collections.abc import Iterable, Mapping

from compare_gan.natural_order import in_natural_order


class UserError(ValueError):
    """A mistake in a config, a command or a file; the message is one sentence.

    The command line prints the message without a traceback and exits with status 2.

    Example:
      >>> from compare_gan.errors import UserError
      >>> from compare_gan import registry
      >>> try:
      ...     registry.get("loss", "hing")
      ... except UserError as error:
      ...     print(str(error).split(" Known: ")[0])
      Unknown loss 'hing'. Did you mean 'hinge'?
    """


class MistakesError(UserError):
    r"""Several mistakes of the user, reported together.

    Example:
      >>> from compare_gan.errors import UserError, MistakesError
      >>> both = MistakesError([UserError("One mistake."), UserError("Another one.")])
      >>> str(both)
      'One mistake.\nAnother one.'

    Args:
      errors: The mistakes.

    Attributes:
      errors: The mistakes.
    """

    def __init__(self, errors: Iterable[UserError]):
        self.errors = list(errors)
        # Gin appends lines to errors.
        super().__init__("\n".join(str(error).split("\n", 1)[0] for error in self.errors))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to `name`, or one that starts with it, contains it or begins it.

    Names that start with `name` come first, the shortest of them; None if no name is near.

    Example:
      >>> from compare_gan.errors import nearest
      >>> nearest("hing", ["hinge", "wasserstein"])
      'hinge'
    """
    by_lower, name = {candidate.lower(): candidate for candidate in known}, str(name).lower()
    matches = [name] if name in by_lower else []
    if not matches and len(name) > 2:
        matches = sorted((longer for longer in by_lower if longer.startswith(name)), key=_brief)
    matches = matches or difflib.get_close_matches(name, by_lower, n=1, cutoff=0.6)
    if not matches and len(name) > 2:
        matches = sorted((longer for longer in by_lower if name in longer), key=_brief)
    if not matches:  # A score is named after its metric: `fid_fashion_cnn`.
        begins = (shorter for shorter in by_lower if name.startswith(f"{shorter}_"))
        matches = sorted(begins, key=_brief, reverse=True)
    return by_lower[matches[0]] if matches else None


def _brief(name: str) -> tuple[int, str]:
    return len(name), name


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for an unknown name; its message has the nearest name and all known ones.

    Example:
      >>> from compare_gan.errors import unknown_name
      >>> print(unknown_name("loss", "hing", ["hinge", "wasserstein"]))
      Unknown loss 'hing'. Did you mean 'hinge'? Known: hinge, wasserstein.
    """
    return UserError(with_known_names(f"Unknown {kind} '{name}'.", name, known))


def with_known_names(sentence: str, name: str, known: Iterable[str]) -> str:
    """A sentence about an unknown name, followed by the nearest name and all known ones.

    Example:
      >>> from compare_gan.errors import with_known_names
      >>> with_known_names("r1 has no parameter 'gama'.", "gama", ["weight", "gamma"])
      "r1 has no parameter 'gama'. Did you mean 'gamma'? Known: gamma, weight."
    """
    known = in_natural_order(set(known))
    return f"{with_suggestion(sentence, name, known)} Known: {', '.join(known) or 'none'}."


def with_suggestion(sentence: str, name: str, known: Iterable[str], what: str = "") -> str:
    """A sentence about an unknown name, followed by the nearest known name if there is one.

    Example:
      >>> from compare_gan.errors import with_suggestion
      >>> with_suggestion("There is no 'hing'.", "hing", ["hinge"], what="the loss ")
      "There is no 'hing'. Did you mean the loss 'hinge'?"

    Args:
      sentence: The sentence.
      name: The unknown name.
      known: Known names.
      what: Words in front of the suggestion, with a space after them.
    """
    guess = nearest(name, known)
    return f"{sentence} Did you mean {what}'{guess}'?" if guess else sentence


def check_positive_integer(name: str, value: object) -> None:
    """Raises UserError unless the value that a config gives for `name` is a positive integer.

    Example:
      >>> from compare_gan.errors import check_positive_integer
      >>> check_positive_integer("options.batch_size", 64)
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{name} must be a positive integer, received {value!r}.")


def check_number(name: str, value: object) -> None:
    """Raises UserError unless the value that a config gives for `name` is a number.

    Example:
      >>> from compare_gan.errors import check_number
      >>> check_number("cosine_decay.final", 0.1)
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise UserError(f"{name} must be a number, received {value!r}.")


def check_range(name: str, value: float, least: float = 0, most: float = math.inf) -> None:
    """Raises UserError unless the value that a config gives for `name` is a number in a range.

    Example:
      >>> from compare_gan.errors import check_range
      >>> check_range("spectral_norm.epsilon", 1e-12, most=1)
    """
    check_number(name, value)
    if not least <= value <= most:
        allowed = f"at least {least}" if most == math.inf else f"between {least} and {most}"
        raise UserError(f"{name} must be {allowed}, received {value!r}.")


def check_decay(name: str, value: float) -> None:
    """Raises UserError unless the value that a config gives for `name` is a number in [0, 1).

    Example:
      >>> from compare_gan.errors import check_decay
      >>> check_decay("batch_norm.decay", 0.9)
    """
    check_number(name, value)
    if not 0 <= value < 1:
        raise UserError(f"{name} must be at least 0 and below 1, received {value!r}.")


def check_version(
    name: str,
    content: Mapping[str, object],
    newest: int,
    remedy: str = "install a newer version of compare_gan",
) -> int:
    """The version of a file's content; 1 if it has none, as in files of older versions.

    Args:
      name: Name of the file or line, the subject of the message.
      content: Content of the file.
      newest: The newest version that this library reads.
      remedy: What to do otherwise.

    Raises:
      UserError: A newer version of this library wrote it.

    Example:
      >>> from compare_gan.errors import check_version
      >>> check_version("'model.json'", {"version": 2}, newest=2)
      2
    """
    version = content.get("version", 1)
    if not isinstance(version, int) or not 1 <= version <= newest:
        raise UserError(
            f"{name} has version {version!r}, but this library reads versions up to {newest}: "
            f"{remedy}."
        )
    return version


class DivergenceError(RuntimeError):
    """Training produced a value that is not finite; the message names step and term."""


class LostProcessError(RuntimeError):
    """Another process of a run has died, or no longer responds; the message is one sentence.

    The command line prints the message without a traceback and exits with status 4.
    """
