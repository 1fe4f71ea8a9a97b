"""Writes the table of `docs/faults.md` from the docstrings of the tests in `tests/faults/`.

The last section is that of faults whose tests are with those of the part, in other folders.

    python scripts/write_fault_table.py

Run it when a test of a fault has been added, removed or changed. A row is the part of a docstring
that begins with `Fault:`; `Command:`, `User sees:`, `Exit code:` and `Lost:` follow. A docstring
may have several rows; an entry that a row lacks is that of the row before.
"""

import ast
import dataclasses
import os
import pathlib
import re
import sys
from collections.abc import Iterator

import click

_ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, os.fspath(_ROOT))  # The table describes this checkout.

from compare_gan import files  # noqa: E402

# With whether a cell of the column begins with a capital letter: commands are spelled as typed.
_ENTRIES = {"Fault": True, "Command": False, "User sees": True, "Exit code": False, "Lost": True}
_ENTRY = re.compile(rf"^({'|'.join(_ENTRIES)}):", re.MULTILINE)
_ELSEWHERE = "Faults whose tests are with those of the part, in other folders of `tests/`"
_BEGIN, _END = "<!-- Written by scripts/write_fault_table.py. -->", "<!-- End of the table. -->"
_CODE = re.compile(r"(`[^`]*`)")
_MARKUP = re.compile(r"([*_<>\[\]#\\])")


@dataclasses.dataclass(frozen=True)
class Row:
    """A fault, and the test that provokes it.

    Attributes:
      test: Name of the test.
      entries: The five entries, in the order of the table.
    """

    test: str
    entries: tuple[str, ...]


def read_rows(path: pathlib.Path) -> list[Row]:
    """The rows in a test file, in the order of its tests.

    Args:
      path: The file.

    Raises:
      ValueError: The docstring of a test has `Fault:` but not all other entries.
    """
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    return [
        Row(function.name, entries)
        for function in sorted(functions, key=lambda node: node.lineno)
        if function.name.startswith("test_")
        for entries in _entries(ast.get_docstring(function) or "", function.name)
    ]


def _entries(docstring: str, test: str) -> Iterator[tuple[str, ...]]:
    _, *parts = _ENTRY.split(docstring)
    row: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name == "Fault" and row:
            yield _complete(row, test)
        row[name] = " ".join(text.split()).removesuffix(".")
    if row:
        yield _complete(row, test)


def _complete(row: dict[str, str], test: str) -> tuple[str, ...]:
    missing = [name for name in _ENTRIES if not row.get(name)]
    if missing:
        raise ValueError(f"The docstring of {test} lacks {', '.join(missing)}.")
    return tuple(row[name] for name in _ENTRIES)


def make_table(folder: pathlib.Path = _ROOT / "tests") -> str:
    """The table as Markdown: a heading and a table for each file in `faults`, and one for others.

    Args:
      folder: The folder of all tests.
    """
    parts, elsewhere, count = [], [], 0
    for path in sorted(folder.rglob("test_*.py")):
        rows = read_rows(path)
        count += len(rows)
        if path.parent != folder / "faults":
            place = path.relative_to(folder).as_posix()
            elsewhere += [dataclasses.replace(row, test=f"{place}::{row.test}") for row in rows]
        elif rows:
            headline = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or path.stem
            title = headline.split("\n", 1)[0].rstrip(".").removeprefix("Faults of ")
            parts.append(_section(title, rows))
    if elsewhere:
        parts.append(_section(_ELSEWHERE, elsewhere))
    return "\n\n".join([f"{count} faults.", *parts])


def _section(title: str, rows: list[Row]) -> str:
    lines = [f"## {title[:1].upper()}{title[1:]}", "", _line((*_ENTRIES, "Test"))]
    lines.append("|" + "---|" * (len(_ENTRIES) + 1))
    for row in rows:
        cells = map(_cell, row.entries, _ENTRIES.values())
        lines.append(_line((*cells, f"`{row.test}`")))
    return "\n".join(lines)


def _line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str, capital: bool) -> str:
    """The text as Markdown, in which only code between backticks is marked."""
    if capital:
        text = text[:1].upper() + text[1:]
    pieces = _CODE.split(text)
    pieces[::2] = [_MARKUP.sub(r"\\\1", piece) for piece in pieces[::2]]
    return "".join(pieces).replace("|", "\\|")


def renew(page: str, table: str) -> str:
    """The text of the page with another table.

    Args:
      page: The text of the page.
      table: The table.
    """
    before, rest = page.split(_BEGIN)
    _, after = rest.split(_END)
    return f"{before}{_BEGIN}\n\n{table}\n\n{_END}{after}"


@click.command()
@click.option("--out", default=os.fspath(_ROOT / "docs" / "faults.md"), show_default=True)
def main(out: str) -> None:
    """Writes the table of faults into the page `out`."""
    files.write_text(out, renew(files.read_text(out), make_table()))
    click.echo(out)


if __name__ == "__main__":
    main()
