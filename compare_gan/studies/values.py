"""Values of an axis: their bindings, their labels, and their part in the name of a run."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from compare_gan.config.bound_values import bound_values
from compare_gan.config.inclusion import with_includes
from compare_gan.errors import UserError

PARAMETER = re.compile(r"(?:[\w.]+/)*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_INCLUDE = re.compile(r"\s*include\b")
_UNSAFE = re.compile(r"[^\w.+-]+")
_WORD = re.compile(r"[A-Za-z]")
_NO_WORDS = ("True", "False", "None")
_LONGEST = 120  # Bytes of a name: file systems allow 255.


@dataclasses.dataclass(frozen=True)
class AxisValue:
    """One value of an axis.

    Attributes:
      label: Name of the value within its axis.
      bindings: The bindings that it stands for.
      base: Text of the configs that it includes, over which its bindings win.
    """

    label: str
    bindings: tuple[str, ...] = ()
    base: str = ""

    @property
    def parameters(self) -> set[str]:
        """The parameters that its bindings bind."""
        return set(bound_values("\n".join(self.bindings)))


def make_axis(name: str, given: Any, folder: str) -> dict[str, AxisValue]:
    """The values of an axis by their labels.

    Args:
      name: Name of the axis.
      given: A list of values of the parameter `name`; or, by label, a binding or a list of some.
      folder: Folder in which files that bindings include are searched for first.

    Raises:
      UserError: There are no values, two have the same label, or something is not a binding.

    Example:
      >>> from compare_gan.studies.values import make_axis
      >>> make_axis("loss.fn", ["@hinge"], "")
      {'hinge': AxisValue(label='hinge', bindings=('loss.fn = @hinge',), base='')}
    """
    subject = f"study.axes['{name}']"
    if isinstance(given, Mapping):
        values = [_named(subject, label, each, folder) for label, each in given.items()]
    elif isinstance(given, (list, tuple)):
        if not PARAMETER.fullmatch(name):
            raise UserError(
                f"{subject} lists values, so '{name}' must be a parameter, such as 'loss.fn'; an "
                "axis with another name has named variants: {'label': [bindings]}."
            )
        values = [_listed(subject, name, each) for each in given]
    else:
        raise UserError(
            f"{subject} must be a list of values, or a dict of bindings by label, received "
            f"{given!r}."
        )
    if not values:
        raise UserError(f"{subject} is empty: give it a value, or leave the axis out.")
    axis: dict[str, AxisValue] = {}
    for value in values:
        if value.label in axis:
            raise UserError(f"{subject} has the label '{value.label}' twice.")
        axis[value.label] = value
    return axis


def _listed(subject: str, parameter: str, given: Any) -> AxisValue:
    binding = f"{parameter} = {gin_text(given)}"
    if not _is_binding(binding):
        raise UserError(
            f"{subject}: {given!r} is not a gin value; a reference is a string such as '@hinge'."
        )
    return AxisValue(label_of(given), (binding,))


def _named(subject: str, label: Any, given: Any, folder: str) -> AxisValue:
    subject = f"{subject}['{label}']"
    if not isinstance(label, str) or not label.strip():
        raise UserError(f"{subject}: a label must be a string that is not empty.")
    included, bindings = split_bindings(subject, given, folder)
    return AxisValue(label, bindings, included)


def split_bindings(subject: str, given: Any, folder: str) -> tuple[str, tuple[str, ...]]:
    """The text of included configs, and the other bindings.

    Args:
      subject: Subject of messages.
      given: A binding or `include` statement, or a list of some.
      folder: Folder in which included files are searched for first.

    Raises:
      UserError: Something is not a binding, or a file is missing.
    """
    bindings = [given] if isinstance(given, str) else given
    if not isinstance(bindings, (list, tuple)) or not all(isinstance(b, str) for b in bindings):
        raise UserError(f"{subject} must be a binding or a list of bindings, received {given!r}.")
    for binding in bindings:
        if not _INCLUDE.match(binding) and not _is_binding(binding):
            raise UserError(
                f"{subject}: '{binding}' is not a binding; one has the form name.parameter = value."
            )
    includes = [binding for binding in bindings if _INCLUDE.match(binding)]
    text = with_includes("\n".join(includes), folder, subject) if includes else ""
    return text, tuple(binding for binding in bindings if binding not in includes)


def _is_binding(text: str) -> bool:
    try:
        return bool(bound_values(text))
    except ValueError:
        return False


def gin_text(value: Any) -> str:
    """A value as gin writes it; strings that begin with @ or % are references and macros.

    Example:
      >>> from compare_gan.studies.values import gin_text
      >>> gin_text(["@r1()", 0.1, "train"])
      "[@r1(), 0.1, 'train']"
    """
    if isinstance(value, str) and value.startswith(("@", "%")):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(gin_text, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(gin_text, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Mapping):
        items = (f"{gin_text(key)}: {gin_text(each)}" for key, each in value.items())
        return f"{{{', '.join(items)}}}"
    return repr(value)


def label_of(value: Any) -> str:
    """The label of a value: as gin writes it, without @, and without the quotes of a string.

    Example:
      >>> from compare_gan.studies.values import label_of
      >>> label_of("@hinge"), label_of(["@r1()", "train"]), label_of(1e-4)
      ('hinge', "[r1(), 'train']", '0.0001')
    """
    if isinstance(value, str):
        return value.removeprefix("@")
    return re.sub(r"@(?=[A-Za-z_])", "", gin_text(value))


def variant_name(labels: Mapping[str, str]) -> str:
    """The name of a variant, which is safe for file systems and depends on its labels alone.

    A label that is no word, such as a number, follows the name of its axis.

    Args:
      labels: For each axis, by name, the label of the variant's value.

    Example:
      >>> from compare_gan.studies.values import variant_name
      >>> variant_name({"loss.fn": "hinge", "ModularGAN.g_lr": "0.0001"})
      'hinge-g_lr=0.0001'
    """
    return safe_name("-".join(_part(axis, label) for axis, label in labels.items()))


def _part(axis: str, label: str) -> str:
    word = _slug(label) or "none"
    if _WORD.match(label) and label not in _NO_WORDS:
        return word
    return f"{_slug(axis.rpartition('.')[2])}={word}"


def _slug(text: str) -> str:
    return _UNSAFE.sub("_", text).strip("_.")


def safe_name(name: str) -> str:
    """A name of at most 120 bytes; a hash stands for the end of a longer one."""
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return f"{encoded[: _LONGEST - 9].decode(errors='ignore')}-{digest}"
