"""Messages about mistakes in a config, one sentence each."""

import inspect
import re
import tokenize

from compare_gan.config import gin_internals
from compare_gan.config.keywords import bindable_parameters
from compare_gan.config.places import shown
from compare_gan.errors import UserError, with_known_names, with_suggestion

_MISSING = "The config gives no value for"


class ConfigError(UserError):
    """A UserError about a config; its message begins with the place in it, if that is known."""


def explain(error: Exception) -> ConfigError:
    """One sentence for an error that gin, or a part of the user's, raised during parsing."""
    return ConfigError(f"{_place(error)}{_sentence(error)}")


def explain_at(place: str, error: Exception) -> ConfigError:
    """As `explain`, where the place in the config is known."""
    return ConfigError(f"{place}: {_sentence(error)}")


def is_about_a_missing_value(error: UserError) -> bool:
    """Whether an error says that the config gives no value for a parameter."""
    return _MISSING in str(error)


def _sentence(error: Exception) -> str:
    text = str(error)
    if match := re.search(r"No configurable matching (?:reference )?'@?([\w./]+)", text):
        name = match[1].rsplit("/", 1)[-1]
        known = gin_internals.selectors()
        known = known | {selector.split(".")[-1] for selector in known}
        return with_suggestion(f"Nothing configurable is called '{name}'.", name, known)
    for pattern in (
        r"Configurable '([^']+)' doesn't have a parameter named '([^']+)'",
        r"Configurable '([^']+)' doesn't include kwarg '([^']+)' in its allowlist",
    ):
        if match := re.search(pattern, text):
            return _no_parameter(match[1], match[2])
    if match := re.search(r"Failed to parse token '([A-Za-z_]\w*)'", text):
        name = match[1]
        return f"{name} is not a gin value; write '{name}' for a string, @{name} for a function."
    if "Couldn't parse statement" in text:
        return "A binding has the form name.parameter = value."
    first = text.strip().split("\n", 1)[0].split(" Searched config paths:")[0]
    first = re.sub(r" \([^()]*, line \d+\)$", "", first)  # Python adds this to a SyntaxError.
    if isinstance(error, tokenize.TokenError | RecursionError):
        first = "a binding ends within brackets or a string, or has too many brackets."
    if isinstance(error, KeyError):  # Puts its text in quotes.
        first = first.strip("\"'")
    if isinstance(error, UserError):
        return first
    return f"The config cannot be read: {first}"


def check_parameter(selector: str, name: str) -> None:
    """Raises UserError if a class that takes **kwargs is bound a parameter that it does not have.

    Args:
      selector: Name of the class in gin.
      name: Name of the parameter.
    """
    part = gin_internals.part(selector)
    if inspect.isclass(part) and name not in bindable_parameters(part):
        raise UserError(_no_parameter(selector, name))


def required_missing(error: RuntimeError) -> str | None:
    """The sentence for gin's error about a missing required value; None for other errors."""
    match = re.search(
        r"Required bindings for `([^`]+)` not provided in config: (\[.*?\])", str(error)
    )
    if not match:
        return None
    scope = match[1].split(".")[-1]
    missing = ", ".join(f"{scope}.{name}" for name in re.findall(r"'([^']+)'", match[2]))
    return f"{_MISSING} {missing}, which every run needs."


def _no_parameter(selector: str, name: str) -> str:
    part = gin_internals.part(selector)
    if inspect.isclass(part):
        known = bindable_parameters(part)
    else:
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        signature = inspect.signature(part).parameters.values()
        known = [p.name for p in signature if p.kind in kinds]
    known = list(gin_internals.allowed_parameters(selector) or known)
    sentence = f"{gin_internals.short_name(selector)} has no parameter '{name}'."
    return with_known_names(sentence, name, known)


def _place(error: Exception) -> str:
    if match := re.search(r'In file "([^"]+)", line (\d+)', str(error)):
        return f"{shown(match[1])}, line {match[2]}: "
    in_bindings = isinstance(error, tokenize.TokenError | RecursionError)  # Files: `_open`.
    if in_bindings or re.search(r"In bindings string line (\d+)", str(error)):
        return "--gin_bindings: "
    if isinstance(error, SyntaxError):
        place = (
            f"{shown(error.filename)}, line {error.lineno}" if error.filename else "--gin_bindings"
        )
        return f"{place}: "
    return ""
