"""Bookkeeping files that may be damaged: what can be read is read, and nothing is deleted.

A reader leaves a damaged file where it is and says so once. The process that writes the file next
sets the damaged one aside first, as `<name>.damaged-<n>`.
"""

import dataclasses
import functools
import itertools
import json
import logging
import os
import shutil
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from compare_gan import files
from compare_gan.errors import UserError

_log = logging.getLogger(__name__)

_Row = TypeVar("_Row")
_SHOWN = 5  # Numbers of lines in a message.

# Errors of reading a value that has another form than expected.
FORM_ERRORS = (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError)


class DamagedFileError(UserError):
    """A file does not have the form in which it was written.

    Args:
      path: Path of the file.
      reason: Clause that says why.

    Example:
      >>> from compare_gan.damaged import DamagedFileError
      >>> raise DamagedFileError("runs/a/model.json", "it is empty")
      Traceback (most recent call last):
      compare_gan.damaged.DamagedFileError: 'runs/a/model.json' is damaged: it is empty.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(f"'{path}' is damaged: {reason}.")
        self.reason = reason


def read_value(path: str) -> Any:
    """The value in a JSON file.

    Raises:
      DamagedFileError: It is not JSON.
      FileNotFoundError: There is no such file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import damaged
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "a.json")
      ...     open(path, "w").close()
      ...     try:
      ...         damaged.read_value(path)
      ...     except damaged.DamagedFileError as error:
      ...         print(error.reason)
      it is empty
    """
    try:
        return files.read_json(path)
    except IsADirectoryError as error:
        raise DamagedFileError(path, "it is a folder") from error
    except UnicodeDecodeError as error:
        raise DamagedFileError(path, "it is not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        reason = "it is not JSON" if os.path.getsize(path) else "it is empty"
        raise DamagedFileError(path, reason) from error


def read_object(path: str) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
      DamagedFileError: It is not a JSON object.
      FileNotFoundError: There is no such file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import damaged, files
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     files.write_json(os.path.join(folder, "a.json"), {"step": 5})
      ...     damaged.read_object(os.path.join(folder, "a.json"))
      {'step': 5}
    """
    content = read_value(path)
    if not isinstance(content, dict):
        raise DamagedFileError(path, "it is not a JSON object")
    return content


def read_text(path: str) -> str:
    """The text of a file, line ends unchanged; empty if there is no such file.

    Raises:
      DamagedFileError: It is not text in UTF-8.

    Example:
      >>> from compare_gan import damaged
      >>> damaged.read_text("no_such_file.txt")
      ''
    """
    try:
        text = files.read_text(path)
    except UnicodeDecodeError as error:
        raise DamagedFileError(path, "it is not text in UTF-8") from error
    if "\0" in text:  # A power cut may leave these where nothing was flushed.
        raise DamagedFileError(path, "it contains null characters")
    return text


def set_aside(path: str, reason: str, consequence: str, keep: bool = False) -> str:
    """Renames a damaged file to `<name>.damaged-<n>`, with a warning.

    Args:
      path: Path of the file.
      reason: Clause that says why.
      consequence: Clause about what the program does without it.
      keep: Copy the file instead: it stays until it is replaced.

    Returns:
      The new path, which was free.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import damaged
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "model.json")
      ...     open(path, "w").close()
      ...     _ = damaged.set_aside(path, "it is empty", "it is written anew")
      ...     os.listdir(folder)
      ['model.json.damaged-1']
    """
    names = (f"{path}.damaged-{n}" for n in itertools.count(1))
    target = next(name for name in names if not os.path.lexists(name))
    if keep:
        with files.atomic(target) as temporary:
            shutil.copyfile(path, temporary)
    else:
        os.rename(path, target)
    _log.warning(
        "'%s' is damaged (%s): %s; the damaged file is '%s'.", path, reason, consequence, target
    )
    return target


@dataclasses.dataclass(frozen=True)
class Lines(Generic[_Row]):
    """The lines of a file of which some may be damaged.

    Attributes:
      rows: The rows that could be read.
      texts: The lines that they come from, without their ends.
      reason: Clause that names the other lines; empty without any.
    """

    rows: list[_Row]
    texts: list[str]
    reason: str = ""

    def warn(self, path: str) -> None:
        """Says once in a process which lines are left out.

        Args:
          path: Path of the file.
        """
        if self.reason:
            warn_once(f"'{path}' is damaged: {self.reason}; the rest of it is used.")


def read_lines(path: str, parse: Callable[[str, str], _Row]) -> Lines[_Row]:
    r"""Reads a row from each line that has the expected form; blank lines mean nothing.

    Args:
      path: Path of the file; without it there are no lines.
      parse: Function from a line and its name in messages to a row. Its errors of form (of the
        types `FORM_ERRORS`, except UserError) mark the line as damaged.

    Raises:
      UserError: `parse` raised it: the line is of a newer version, for one.

    Example:
      >>> import json, os, tempfile
      >>> from compare_gan import damaged
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     path = os.path.join(folder, "log.jsonl")
      ...     with open(path, "w") as file:
      ...         _ = file.write('1\n\n{"a\n3\n')
      ...     lines = damaged.read_lines(path, lambda line, name: json.loads(line))
      >>> lines.rows, lines.reason
      ([1, 3], 'line 3 cannot be read')
    """
    try:
        with open(path, "rb") as file:
            content = file.read()
    except FileNotFoundError:
        return Lines([], [])
    rows, texts, bad = [], [], []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            text = line.decode()
            rows.append(parse(text, f"Line {number} of '{path}'"))
        except UserError:
            raise
        except FORM_ERRORS:
            bad.append(number)
        else:
            texts.append(text)
    return Lines(rows, texts, _describe(bad))


def parse_object(line: str, name: str) -> dict[str, Any]:
    """The JSON object in a line, for `read_lines`.

    Args:
      line: The line.
      name: Its name in messages.

    Raises:
      ValueError: It is not a JSON object.

    Example:
      >>> from compare_gan import damaged
      >>> damaged.parse_object('{"step": 5}', "Line 1")
      {'step': 5}
    """
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError(f"{name} is not a JSON object")
    return content


def _describe(bad: list[int]) -> str:
    if not bad:
        return ""
    shown = ", ".join(map(str, bad[:_SHOWN])) + (", …" if len(bad) > _SHOWN else "")
    return f"line {shown} cannot be read" if len(bad) == 1 else f"lines {shown} cannot be read"


@functools.lru_cache(maxsize=1000)
def warn_once(sentence: str) -> None:
    """Logs a warning, unless this process has logged it before.

    Example:
      >>> from compare_gan import damaged
      >>> damaged.warn_once("'log.jsonl' is damaged.")
    """
    _log.warning("%s", sentence)
