"""The text of a gin file with the files that it includes, which then depends on no other file."""

import os
from collections.abc import Sequence
from tokenize import TokenError

from gin import config_parser

from compare_gan.config import gin_internals
from compare_gan.config.messages import explain_at
from compare_gan.config.names import example_folder, find_config
from compare_gan.config.places import shown
from compare_gan.errors import UserError

_DEEPEST = 20
_ERRORS = (SyntaxError, LookupError, TypeError, RecursionError, TokenError)


def whole_text(path_or_name: str) -> str:
    """The text of a gin file in which every `include` is replaced by the file that it names.

    Args:
      path_or_name: Path of a gin file, or name of an example config.

    Raises:
      UserError: It cannot be read, or includes a file that does not exist.

    Example:
      >>> from compare_gan.config.inclusion import whole_text
      >>> text = whole_text("supervised_fashion_mnist")
      >>> "include" in text, "dataset.name" in text
      (False, True)
    """
    path = os.path.abspath(find_config(path_or_name))
    return _read(path, (example_folder(), ""), 0)


def with_includes(text: str, folder: str, name: str) -> str:
    r"""Bindings of which some may be `include` statements, with the files that these name.

    Args:
      text: The bindings, one per line.
      folder: Folder in which an included file is searched for first.
      name: Their name in messages.

    Raises:
      UserError: See `whole_text`.

    Example:
      >>> from compare_gan.config.inclusion import with_includes
      >>> text = with_includes("include 'fashion_mnist_common.gin'\noptions.z_dim = 8", "", "mine")
      >>> 'dataset.name = "fashion_mnist_10k"' in text, text.endswith("options.z_dim = 8\n")
      (True, True)
    """
    return _expanded(text, name, (folder, example_folder(), ""), 0)


def _read(path: str, folders: Sequence[str], depth: int) -> str:
    if depth > _DEEPEST:
        raise UserError(f"'{shown(path)}' includes itself.")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not a text in UTF-8.") from error
    return _expanded(text, path, (os.path.dirname(path), *folders), depth)


def _expanded(text: str, name: str, folders: Sequence[str], depth: int) -> str:
    lines = text.splitlines()
    try:
        statements = list(
            config_parser.ConfigParser("\n".join(lines), gin_internals.ReferencesAsStrings())
        )
    except _ERRORS as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise explain_at(f"{shown(name)}{line}", error) from error
    for statement in statements:
        if isinstance(statement, config_parser.IncludeStatement):
            number = statement.location.line_num
            paths = (os.path.join(folder, statement.filename) for folder in folders)
            found = next((path for path in paths if os.path.isfile(path)), None)
            if found is None:
                raise UserError(
                    f"{shown(name)}, line {number}: There is no file '{statement.filename}'."
                )
            lines[number - 1] = _read(found, folders, depth + 1).rstrip("\n")
    return "\n".join([*lines, ""])
