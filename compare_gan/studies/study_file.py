"""Study files: gin files that bind the options of a study, `study.axes` and others."""

import dataclasses
import os
import re

from compare_gan.config import find_config
from compare_gan.config.bound_values import bound_values
from compare_gan.config.inclusion import whole_text
from compare_gan.config.places import shown
from compare_gan.errors import UserError
from compare_gan.studies.defining import define
from compare_gan.studies.definition import StudyDefinition

_SCOPE = "study."


def read_study(path_or_name: str) -> StudyDefinition:
    r"""Reads a study file.

    Args:
      path_or_name: Path of the file, or the name of an example (`studies/losses_fashion_mnist`).

    Raises:
      UserError: It cannot be read, or a name or value in it is not allowed.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.studies import read_study
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "losses.gin")
      ...     with open(path, "w") as file:
      ...         _ = file.write("study.base = 'supervised_fashion_mnist'\n")
      ...         _ = file.write("study.axes = {'loss.fn': [@hinge, @wasserstein]}\n")
      ...     study = read_study(path)
      >>> study.title, [variant.name for variant in study.variants]
      ('losses', ['hinge', 'wasserstein'])
    """
    path = find_config(path_or_name)
    text = whole_text(path)
    try:
        values = bound_values(text)
    except UserError as error:
        raise UserError(f"{shown(path)}: {error}") from error
    given = {}
    for name, value in values.items():
        if not name.startswith(_SCOPE) or name.count(".") > 1:
            raise UserError(
                f"{_place(path, text, name)}: A study file binds only options of `study`: '{name}' "
                "belongs in study.bindings or in the base config."
            )
        given[name.removeprefix(_SCOPE)] = value
    given.setdefault("title", os.path.basename(path).removesuffix(".gin"))
    try:
        study = define(folder=os.path.dirname(os.path.abspath(path)), **given)
    except UserError as error:
        option = re.search(r"study\.\w+", str(error))
        raise UserError(f"{_place(path, text, option[0] if option else '')}: {error}") from error
    return dataclasses.replace(study, source=text)


def _place(path: str, text: str, parameter: str) -> str:
    """The file, and the line in which it binds a parameter, if it includes no other file."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    if lines == text.splitlines():
        for number, line in enumerate(lines, start=1):
            if re.match(rf"\s*{re.escape(parameter)}\s*=", line):
                return f"{shown(path)}, line {number}"
    return shown(path)
