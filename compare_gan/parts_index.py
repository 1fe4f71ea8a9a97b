"""The index of the registered parts: `parts.json`, which `compare_gan list` prints.

The command has to work without an import of a room. `python scripts/write_parts_index.py` writes
the index from the registry.
"""

import dataclasses
import json
import os

from compare_gan import files, registry
from compare_gan.errors import unknown_name

_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "parts.json")
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Entry:
    """The description of one part: the attributes of a `registry.Component` except its value.

    Example:
      >>> from compare_gan import parts_index
      >>> [entry.summary for entry in parts_index.read_index("schedule")["schedule"]][0][:22]
      'From one value to anot'
    """

    kind: str
    name: str
    summary: str
    paper: str = ""
    aliases: tuple[str, ...] = ()


def read_index(kind: str | None = None) -> dict[str, list[Entry]]:
    """Returns the parts of this library by kind, from `parts.json`; imports no room.

    Args:
      kind: The only kind to return; None = all kinds.

    Raises:
      UserError: `kind` is unknown; the message has the nearest one.

    Example:
      >>> from compare_gan import parts_index
      >>> [entry.name for entry in parts_index.read_index("loss")["loss"]][0]
      'hinge'
    """
    found = {
        each: [
            Entry(each, part["name"], part["summary"], part["paper"], tuple(part["aliases"]))
            for part in parts
        ]
        for each, parts in files.read_json(_PATH)["parts"].items()
    }
    if kind is None:
        return found
    if kind not in found:
        raise unknown_name("kind of part", kind, found)
    return {kind: found[kind]}


def write_index(path: str = _PATH) -> None:
    """Imports all rooms and writes the index of the registered parts.

    The file is JSON with `version` and, under `parts`, a list of parts for each kind, each with
    `name`, `aliases`, `summary` and `paper`; both in natural order.

    Args:
      path: Path of the file.

    Example:
      >>> import os, tempfile
      >>> from compare_gan import parts_index
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     parts_index.write_index(os.path.join(folder, "parts.json"))
      ...     print(os.listdir(folder))
      ['parts.json']
    """
    fields = ("name", "aliases", "summary", "paper")
    parts = {
        kind: [
            {field: getattr(part, field) for field in fields} for part in registry.components(kind)
        ]
        for kind in registry.kinds()
    }
    text = json.dumps({"version": _VERSION, "parts": parts}, indent=1, ensure_ascii=False)
    files.write_text(path, text + "\n")
