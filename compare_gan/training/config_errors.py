"""A user's mistakes in a config, told in one sentence each."""

import inspect
import os
import re
from collections.abc import Iterable

import gin

from compare_gan.errors import UserError, nearest
from compare_gan.gans.keywords import parameters


def explain(error: Exception) -> UserError:
    """One sentence for what gin raised while it parsed."""
    text = str(error)
    place = _place(error)
    if match := re.search(r"No configurable matching (?:reference )?'@?([\w./]+)", text):
        name = match[1].rsplit("/", 1)[-1]
        known = set(gin.config._REGISTRY._selector_map)
        guess = nearest(name, known | {selector.split(".")[-1] for selector in known})
        return UserError(f"Nothing configurable is called '{name}'{place}.{_hint(guess)}")
    for pattern in (
        r"Configurable '([^']+)' doesn't have a parameter named '([^']+)'",
        r"Configurable '([^']+)' doesn't include kwarg '([^']+)' in its allowlist",
    ):
        if match := re.search(pattern, text):
            return _no_parameter(match[1], match[2], place)
    first = text.strip().split("\n", 1)[0].strip("\"'")  # A KeyError quotes its text.
    return UserError(f"The config cannot be read{place}: {first}")


def unknown_parameter(selector: str, name: str, files: Iterable[str]) -> UserError | None:
    """The sentence for a binding to a class that takes **kwargs and has no such parameter, or None.

    Args:
      selector: Gin's name of the class.
      name: The parameter.
      files: The config files, searched for the line that binds it.
    """
    configurable = gin.config._REGISTRY.get_match(selector)
    if configurable is None or not inspect.isclass(configurable.wrapped):
        return None
    if name in parameters(configurable.wrapped):
        return None
    line_start = re.compile(rf"\s*(?:[\w./]*[./])?{selector.split('.')[-1]}\.{name}\s*=")
    for path in files:
        with open(path) as file:
            for number, line in enumerate(file, 1):
                if line_start.match(line):
                    return _no_parameter(selector, name, f" ({path}, line {number})")
    return _no_parameter(selector, name, " (in --gin_bindings)")


def required_missing(error: RuntimeError) -> UserError | None:
    """The sentence for gin's complaint about a required value that no config gives, or None."""
    match = re.search(
        r"Required bindings for `([^`]+)` not provided in config: (\[.*?\])", str(error)
    )
    if not match:
        return None
    scope = match[1].split(".")[-1]
    missing = ", ".join(f"{scope}.{name}" for name in re.findall(r"'([^']+)'", match[2]))
    return UserError(f"The config gives no value for {missing}, which every run needs.")


def missing_file(path: str) -> UserError:
    """The sentence for a config file that is not there."""
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return UserError(f"There is no gin config '{path}'; there is no folder '{folder}' either.")
    guess = nearest(os.path.basename(path), os.listdir(folder))
    return UserError(
        f"There is no gin config '{path}'.{_hint(guess and os.path.join(folder, guess))}"
    )


def _no_parameter(selector: str, name: str, place: str) -> UserError:
    configurable = gin.config._REGISTRY.get_match(selector)
    wrapped = configurable.wrapped
    if inspect.isclass(wrapped):
        known = parameters(wrapped)
    else:
        kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        signature = inspect.signature(wrapped).parameters.values()
        known = [p.name for p in signature if p.kind in kinds]
    if configurable.allowlist:
        known = configurable.allowlist
    short = selector.removeprefix("compare_gan.")
    return UserError(
        f"{short} has no parameter '{name}'{place}.{_hint(nearest(name, known))} "
        f"Known: {', '.join(sorted(known))}."
    )


def _place(error: Exception) -> str:
    if match := re.search(r'In file "([^"]+)", line (\d+)', str(error)):
        return f" ({match[1]}, line {match[2]})"
    if re.search(r"In bindings string line (\d+)", str(error)):
        return " (in --gin_bindings)"
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    return ""


def _hint(guess: str | None) -> str:
    return f" Did you mean '{guess}'?" if guess else ""
