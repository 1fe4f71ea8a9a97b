"""The config of a run, compared with defaults and with the files that it was composed of."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

from compare_gan import damaged
from compare_gan.config import changes
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.run_dir import RunDir

_IMPORT = "import "
_COMMAND_LINE = "--gin_bindings"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """A parameter of a config.

    Attributes:
      name: Its name with gin scope, such as `options.z_dim`.
      value: Its value as gin writes it.
      default: Its default; None if it has none or is not known.
      is_default: Whether the value is the default.
      place: File and line, or option of the command line, of the binding; empty if not recorded.
      replaced: The value that the binding replaced, such as that of an included file; or None.
    """

    name: str
    value: str
    default: str | None
    is_default: bool
    place: str = ""
    replaced: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The config of a run.

    Attributes:
      parameters: The bindings of the config, by name.
      unset: Parameters that the run has used with their defaults: names and values.
      text: The config as a gin file.
      imports: Modules that it imports.
      origins: Files and options of the command line that the bindings stood in; empty if not
        recorded.
    """

    parameters: Sequence[Parameter]
    unset: Mapping[str, str]
    text: str
    origins: Sequence[str] = ()
    imports: Sequence[str] = ()


def read_config(run: RunDir) -> Config:
    """The config of a run, compared with defaults and with the files it was composed of.

    Nothing is imported for it: defaults of modules of the user's own are not known.

    Raises:
      UserError: The run has no config that can be read.
    """
    text = damaged.read_text(run.config)
    values, stated = config_values(run), _stated(run)
    imports = [name for name in values if name.startswith(_IMPORT)]
    parameters = []
    for name in sorted(values.keys() - imports, key=str.lower):
        default = changes.default_as_written(name, OptimizationOptions)
        bindings = [each for each in stated if _is(each["parameter"], name)]
        before = [each["value"] for each in bindings[:-1]]
        parameters.append(
            Parameter(
                name=name,
                value=values[name],
                default=default,
                is_default=_same(values[name], default),
                place=_short_place(bindings[-1]["place"]) if bindings else "",
                replaced=before[-1] if before and before[-1] != bindings[-1]["value"] else None,
            )
        )
    used = _values(damaged.read_text(run.file("operative_config.gin")))
    unset = {name: value for name, value in used.items() if name not in values}
    places = (_short_place(each["place"]).partition(",")[0] for each in stated)
    return Config(
        parameters=parameters,
        unset=unset,
        text=text,
        origins=tuple(dict.fromkeys(places)),
        imports=[name.removeprefix(_IMPORT) for name in imports],
    )


def _stated(run: RunDir) -> Sequence[Mapping[str, str]]:
    """The bindings as the last training took them, with their places; none in older runs."""
    trainings = run.trainings.read()
    return trainings[-1].bindings if trainings else ()


def _short_place(place: str) -> str:
    """A place without folders, which may be of another machine."""
    path, comma, line = place.partition(",")
    return path if path == _COMMAND_LINE else os.path.basename(path) + comma + line


def _is(stated: str, name: str) -> bool:
    """Whether a parameter is the one that a config binds under its shortest name."""
    return stated == name or f".{stated}".endswith(f".{name}") or f".{name}".endswith(f".{stated}")


def _same(value: str, default: str | None) -> bool:
    """Whether a value is the default: parts by name, with or without `@`, lists and tuples."""
    plain = str.maketrans("([", "[[", "@'\"") | str.maketrans(")", "]")
    return default is not None and value.translate(plain) == default.translate(plain)


def config_values(run: RunDir) -> dict[str, str]:
    """The values that the config of a run binds, as gin writes them; none without a config."""
    path = run.configs.path
    return {} if path is None else _values(damaged.read_text(path))


def _values(text: str) -> dict[str, str]:
    try:
        return changes.values_as_written(text)
    except ValueError:
        return {}
