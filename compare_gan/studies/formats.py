"""Formats of tables: CSV and DataFrame of rows, Markdown and LaTeX of text."""

import csv
import dataclasses
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Attributes:
      caption: One line above the table.
      header: Names of the columns.
      rows: Cells of each row.
      texts: Number of columns from the left that hold text, the others hold numbers.
      notes: Sentences below the table.

    Example:
      >>> from compare_gan.studies.formats import TextTable, markdown
      >>> print(markdown(TextTable("Scores", ["loss", "fid"], [["hinge", "12.5"]], texts=1)))
      Scores
      <BLANKLINE>
      | loss | fid |
      |:---|---:|
      | hinge | 12.5 |
      <BLANKLINE>
    """

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: int
    notes: Sequence[str] = ()


def csv_text(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    r"""Rows as CSV; the cell of None is empty.

    A text that a spreadsheet would run as a formula, such as the name of a class in a data set of
    somebody else's, has an apostrophe in front.

    Example:
      >>> from compare_gan.studies.formats import csv_text
      >>> csv_text(["run", "fid"], [["a", 12.5], ["=1+1", None]])
      "run,fid\na,12.5\n'=1+1,\n"

    Args:
      columns: Names of the columns.
      rows: The cells of each row.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(_csv_cell, columns))
    writer.writerows(map(_csv_cell, row) for row in rows)
    return _text(out.getvalue())


# Labels such as "+gp" and values such as "@hinge" call nothing.
_FORMULA = re.compile(r"[=\t\r]|[@+-].*[(!|]", re.DOTALL)


def _csv_cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value


def frame(
    rows: Sequence[Mapping[str, Any]], pandas: Any, numbers: Collection[str] = ()
) -> "pandas.DataFrame":
    """Rows with the same columns as a pandas DataFrame.

    Columns of integers stay integers where a value is missing (`Int64`). A column of mixed types,
    such as a number that an old file has not recorded, becomes text.

    Example:
      >>> import pandas
      >>> from compare_gan.studies.formats import frame
      >>> str(frame([{"images": 3}, {"images": None}], pandas)["images"].dtype)
      'Int64'

    Args:
      rows: The rows.
      pandas: The module, which is an optional dependency.
      numbers: Columns that hold numbers, even if no value is known.
    """
    columns = {}
    for name in rows[0] if rows else ():
        default = float if name in numbers else str
        columns[name] = _column([row[name] for row in rows], pandas, default)
    return pandas.DataFrame(columns)


def _column(values: Sequence[Any], pandas: Any, default: type) -> Any:
    kinds = {type(value) for value in values if value is not None} or {default}
    if kinds == {int}:
        return pandas.array(values, dtype="Int64" if None in values else "int64")
    if kinds == {bool}:
        return pandas.array(values, dtype="boolean" if None in values else "bool")
    if kinds <= {int, float}:
        return pandas.array([float("nan") if v is None else v for v in values], dtype="float64")
    return pandas.array([None if v is None else _text(v) for v in values], dtype="string")


def _text(value: Any) -> str:
    """A value as text; bytes of a path that are not UTF-8 become `?`."""
    return str(value).encode("utf-8", "replace").decode()


def markdown(table: TextTable) -> str:
    """A table as Markdown, with everything escaped that Markdown would interpret."""
    right = len(table.header) - table.texts
    lines = [_markdown_line(table.header), f"|{':---|' * table.texts}{'---:|' * right}"]
    lines += [_markdown_line(row) for row in table.rows]
    notes = [f"- {_markdown_text(note)}" for note in table.notes]
    parts = [[_markdown_text(table.caption)], lines, notes]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def latex(table: TextTable) -> str:
    """A table as a LaTeX float for the package booktabs, with everything escaped."""
    columns = "l" * table.texts + "r" * (len(table.header) - table.texts)
    lines = [
        r"% \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex_text(table.caption)}}}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _latex_line(table.header),
        r"\midrule",
        *(_latex_line(row) for row in table.rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    if table.notes:
        lines.append(rf"\par\footnotesize {' '.join(map(_latex_text, table.notes))}")
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_markdown_text, cells))} |"


# Brackets alone are harmless, unless they form a link; underscores within a word, too.
_MARKDOWN = re.compile(r"([\\`*|#~$]|\](?=[(\[:])|(?<!\w)_|_(?!\w))")


def _markdown_text(text: str) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
    escaped = re.sub(r"&(?=#?\w+;)", "&amp;", escaped)  # It would be a character reference.
    return escaped.replace("<", "&lt;").replace(">", "&gt;")


def _latex_line(cells: Sequence[str]) -> str:
    return f"{' & '.join(map(_latex_text, cells))} \\\\"


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "±": r"$\pm$", "–": "--",
    "−": "$-$", "[": "{[}", "]": "{]}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def _latex_text(text: str) -> str:
    """The text with LaTeX's special characters escaped, and brackets, which may mean an option."""
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))
