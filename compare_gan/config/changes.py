"""Differences between two configs of one run, and which of them a run may go through."""

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any

import gin

from compare_gan.config import gin_internals
from compare_gan.config.bound_values import bound_values
from compare_gan.config.checks import find_parameter, kinds_of

# Everything may not change that the state of a run depends on, except what is listed here.
# Execution, evaluation, sampling:
_FREE_SCOPES = ("run_config", "evaluation", "eval_z", "eval_imagenet_transform",
                "standing_statistics")  # fmt: skip
_FREE_KINDS = ("metric", "extractor", "protocol", "refinement", "schedule", "tracker")
# Labels are compared by their hash; see `RunDir.check_training_labels`.
_LABELS = ("infer_labels", "backbone", "pretext")
_FREE = (
    "options.batch_size",
    "options.training_steps",
    "dataset.data_dir",
    "replace_labels.file_pattern",
    "dataset.inferred_labels",
)
_FREE_NAMES = ("g_lr", "d_lr", "learning_rate")
_FIXED = ("run_config.tf_random_seed", "run_config.mixed_precision")

_UNSET = object()


@dataclasses.dataclass(frozen=True)
class Change:
    """A difference between two configs of one run.

    Attributes:
      key: The parameter with its gin scope, such as `options.z_dim`.
      before: Its value before, as gin writes it, or `not set`.
      now: Its value now, likewise.
      is_free: Whether a run may go through it: it changes how the run goes on (learning rates,
        batch size, number of steps, periods, devices) or is evaluated, not what is trained.

    Example:
      >>> from compare_gan.config.changes import Change
      >>> str(Change("options.z_dim", "4", "8", is_free=False))
      'options.z_dim: 4 → 8'
    """

    key: str
    before: str
    now: str
    is_free: bool

    def __str__(self) -> str:
        return f"{self.key}: {self.before} → {self.now}"


def changes(before: str, now: str, options_of_others: type | None = None) -> list[Change]:
    r"""The differences between two configs, sorted by parameter.

    Macros are replaced by their values. A parameter that only one of them binds has not changed if
    the other leaves it at the same default. Nothing is imported.

    Args:
      before: Text of a config, as `config_text` returns it.
      now: Text of another config.
      options_of_others: See `checks.check_bindings`.

    Raises:
      ValueError: A text is not a config.

    Example:
      >>> from compare_gan import registry
      >>> from compare_gan.config.changes import changes
      >>> registry.load_all()
      >>> before = "RATE = 0.1\nS3GAN.g_lr = %RATE\noptions.z_dim = 4"
      >>> for change in changes(before, "S3GAN.g_lr = 0.2\noptions.z_dim = 4"):
      ...     print(change, change.is_free)
      S3GAN.g_lr: 0.1 → 0.2 True
      >>> changes("", "options.z_dim = 128")  # The default.
      []
    """
    first, second = bound_values(before), bound_values(now)
    found = []
    for key in sorted(first.keys() | second.keys()):
        values = first.get(key, _UNSET), second.get(key, _UNSET)
        default = _default(key, options_of_others) if _UNSET in values else _UNSET
        same = [_comparable(default if value is _UNSET else value) for value in values]
        if same[0] != same[1]:
            found.append(Change(key, as_written(values[0]), as_written(values[1]), _is_free(key)))
    return found


def values_as_written(text: str) -> dict[str, str]:
    r"""The values that a config binds, as gin writes them, by parameter with its scope.

    Macros are replaced by their values.

    Args:
      text: Text of a config.

    Raises:
      ValueError: It is not a config.

    Example:
      >>> from compare_gan.config.changes import values_as_written
      >>> values_as_written("RATE = 0.1\nS3GAN.g_lr = %RATE\nloss.fn = @hinge")
      {'S3GAN.g_lr': '0.1', 'loss.fn': '@hinge'}
    """
    return {key: as_written(value) for key, value in bound_values(text).items()}


def default_as_written(key: str, options_of_others: type | None = None) -> str | None:
    """The default of a parameter, as gin writes it; None if it has none or is not known.

    Args:
      key: The parameter, such as `options.z_dim`.
      options_of_others: See `checks.check_bindings`.

    Example:
      >>> from compare_gan import registry
      >>> from compare_gan.config.changes import default_as_written
      >>> registry.load_all()
      >>> default_as_written("options.z_dim"), default_as_written("options.batch_size")
      ('128', None)
    """
    default = _default(key, options_of_others)
    return None if default is _UNSET or default is gin.REQUIRED else as_written(default)


def is_config(text: str) -> bool:
    """Whether a text is that of a config and binds anything.

    Example:
      >>> from compare_gan.config.changes import is_config
      >>> is_config("options.z_dim = 4"), is_config("options.z_dim ="), is_config("")
      (True, False, False)
    """
    try:
        return bool(bound_values(text))
    except ValueError:
        return False


def _comparable(value: Any) -> Any:
    """A value such that a part is equal to its name, and a tuple to a list."""
    if isinstance(value, (list, tuple)):
        return [_comparable(each) for each in value]
    if isinstance(value, str):
        return value.removeprefix("@")
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    return value


def as_written(value: Any) -> str:
    """A value as gin writes it; a part by its name, as `@hinge`.

    Args:
      value: The value, with references and macros as strings.

    Example:
      >>> from compare_gan.config.changes import as_written
      >>> as_written(["@hinge", 0.5, "text"])
      "[@hinge, 0.5, 'text']"
    """
    if value is _UNSET:
        return "not set"
    if isinstance(value, str) and value.startswith(("@", "%")):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(as_written, value))}]"
    if callable(value) and hasattr(value, "__name__"):
        return f"@{value.__name__}"
    return repr(value)


def _parts(key: str) -> Iterator[Any]:
    """The function or class of a parameter, if its name is known and has one meaning."""
    selector = key.rpartition("/")[2].rpartition(".")[0]
    parts = gin_internals.parts_named(selector) if selector else []
    if len(parts) == 1:
        yield parts[0]


def _default(key: str, options_of_others: type | None) -> Any:
    for part in _parts(key):
        parameter = find_parameter(part, key.rpartition(".")[2], options_of_others)
        if parameter is not None and parameter.default is not inspect.Parameter.empty:
            return parameter.default
    return _UNSET


def _is_free(key: str) -> bool:
    plain = key.rpartition("/")[2]
    scope, _, name = plain.rpartition(".")
    if plain in _FIXED:
        return False
    if plain in _FREE or name in _FREE_NAMES or key.startswith("import "):
        return True
    if scope in (*_FREE_SCOPES, *_LABELS):
        return True
    return any(kind in _FREE_KINDS for part in _parts(key) for kind in kinds_of(part))
