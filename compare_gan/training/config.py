"""Reading gin configs, with a user's mistakes told in one sentence each."""

import importlib
import os
import re
from collections.abc import Sequence

import gin

from compare_gan import registry
from compare_gan.errors import UserError, nearest


def load_all_parts() -> None:
    """Imports every room, so that every name that a config may use is known to gin."""
    for kind in registry.kinds():
        registry.load(kind)
    importlib.import_module("compare_gan.training.options")


def parse(gin_configs: Sequence[str] = (), gin_bindings: Sequence[str] = ()) -> None:
    """Parses gin files and then bindings, which win. Earlier bindings of gin are dropped.

    Args:
      gin_configs: Paths of gin files; their `include`s are found beside them too.
      gin_bindings: Bindings such as `"options.batch_size = 64"`.

    Raises:
      UserError: A file is missing, or a line names what is not there; the message holds the file,
        the line and the nearest valid name.
    """
    load_all_parts()
    gin.clear_config()
    for path in gin_configs:
        if not os.path.isfile(path):
            raise UserError(f"There is no gin config '{path}'.{_nearest_file(path)}")
        gin.add_config_file_search_path(os.path.dirname(os.path.abspath(path)))
    try:
        gin.parse_config_files_and_bindings(
            list(gin_configs), list(gin_bindings), finalize_config=False
        )
    except UserError:
        raise
    except (ValueError, TypeError, SyntaxError, OSError, AttributeError, ImportError) as error:
        raise _explain(error) from error
    _reject_unknown_parameters()


def required_missing(error: RuntimeError) -> UserError | None:
    """The sentence for gin's complaint about a required value that no config gives, or None."""
    match = re.search(
        r"Required bindings for `([^`]+)` not provided in config: (\[.*?\])", str(error)
    )
    if not match:
        return None
    scope = match.group(1).split(".")[-1]
    missing = ", ".join(f"{scope}.{name}" for name in re.findall(r"'([^']+)'", match.group(2)))
    return UserError(f"The config gives no value for {missing}, which every run needs.")


def _reject_unknown_parameters() -> None:
    """Refuses `S3GAN.lr = 1` and the like where a class passes **kwargs on to its base.

    Gin lets every name through to such a class; the mistake would otherwise surface only when the
    class is built.
    """
    for (_, selector), bindings in list(gin.config._CONFIG.items()):
        configurable = gin.config._REGISTRY.get_match(selector)
        if configurable is None:
            continue
        known = _parameters(configurable.wrapped)
        if known is None:
            continue
        for name in bindings:
            if name not in known:
                guess = nearest(name, known)
                hint = f" Did you mean '{guess}'?" if guess else ""
                short = gin.config._minimal_selector(configurable.wrapper) if guess else selector
                raise UserError(
                    f"{short} has no parameter '{name}'.{hint} Known: {', '.join(sorted(known))}."
                )


def _parameters(wrapped) -> set[str] | None:
    """Names that a configurable takes, its bases' included; None if it takes any name."""
    import inspect

    if not inspect.isclass(wrapped):
        return None
    known: set[str] = set()
    for base in wrapped.__mro__:
        if "__init__" not in base.__dict__:
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        known |= {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            return known - {"self"}
    return None


def _explain(error: Exception) -> UserError:
    """One sentence for what gin raised while parsing."""
    text = str(error)
    place = ""
    match = re.search(r'In file "([^"]+)", line (\d+)', text)
    if match:
        place = f" ({match.group(1)}, line {match.group(2)})"
    elif re.search(r"In bindings string line (\d+)", text):
        place = " (in --gin_bindings)"
    elif isinstance(error, SyntaxError) and error.filename:
        place = f" ({error.filename}, line {error.lineno})"
    match = re.search(r"No configurable matching(?: reference)? '?@?([\w./]+)", text)
    if match:
        name = match.group(1)
        known = {s.split(".")[-1] for s in gin.config._REGISTRY} | set(gin.config._REGISTRY)
        guess = nearest(name, known)
        hint = f" Did you mean '{guess}'?" if guess else ""
        return UserError(f"Nothing configurable is called '{name}'{place}.{hint}")
    match = re.search(r"Configurable '([^']+)' doesn't have a parameter named '([^']+)'", text)
    if match:
        selector, name = match.groups()
        configurable = gin.config._REGISTRY.get_match(selector)
        known = _signature_names(configurable.wrapped) if configurable else []
        guess = nearest(name, known)
        hint = f" Did you mean '{guess}'?" if guess else ""
        short = selector.removeprefix("compare_gan.")
        return UserError(
            f"{short} has no parameter '{name}'{place}.{hint} Known: {', '.join(known)}."
        )
    first = text.strip().split("\n", 1)[0]
    return UserError(f"The config cannot be read{place}: {first}")


def _signature_names(fn) -> list[str]:
    import inspect

    return sorted(name for name in inspect.signature(fn).parameters if name != "self")


def _nearest_file(path: str) -> str:
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        return f" There is no folder '{folder}' either."
    guess = nearest(os.path.basename(path), os.listdir(folder))
    return f" Did you mean '{os.path.join(folder, guess)}'?" if guess else ""
