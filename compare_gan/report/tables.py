"""Tables that sort by a click or a key, and save as CSV."""

import dataclasses
import math
import statistics
from collections.abc import Sequence

from markupsafe import Markup

from compare_gan.report.csv_data import csv_link, csv_text
from compare_gan.report.markup import element, number


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell that shows something else than its value.

    Attributes:
      value: Value that the column is sorted by, and that the CSV has.
      shown: Text or markup.
      strong: Whether it is emphasized.
    """

    value: float | str | None
    shown: object
    strong: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Table:
    """A table with a caption, whose columns sort.

    Numbers stand right-aligned. The first cell of a row is its header.

    Attributes:
      title: Caption.
      columns: Names of the columns.
      rows: The cells: text, a number, None (shown as a dash) or a `Cell`.
      help: Explanations of columns, by name, shown where the pointer rests.
      note: A sentence below the table.
      sortable: Whether the columns sort.

    Example:
      >>> from compare_gan.report.tables import Table
      >>> table = Table(title="Scores", columns=["run", "fid"], rows=[["a", 12.5], ["b", None]])
      >>> print(table.csv())
      run,fid
      a,12.5
      b,
      <BLANKLINE>
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    help: dict[str, str] = dataclasses.field(default_factory=dict)
    note: str = ""
    sortable: bool = True

    def csv(self) -> str:
        """The values as CSV."""
        return csv_text(self.columns, [[_value(cell) for cell in row] for row in self.rows])

    def __html__(self) -> str:
        numeric = [_is_numeric([row[i] for row in self.rows]) for i in range(len(self.columns))]
        heads = [self._head(i, name, numeric[i]) for i, name in enumerate(self.columns)]
        decimals = [_decimals([row[i] for row in self.rows]) for i in range(len(self.columns))]
        body = [
            element("tr", *(_cell(cell, i, numeric[i], decimals[i]) for i, cell in enumerate(row)))
            for row in self.rows
        ]
        table = element(
            "table", element("caption", self.title), element("thead", element("tr", *heads)),
            element("tbody", *body), class_="sortable" if self.sortable else None,
        )  # fmt: skip
        note = [self.note, " "] if self.note else []
        return element(
            "div",
            element("div", table, class_="scroll", tabindex=0, role="region",
                    aria_label=self.title),
            element("p", *note, csv_link(self.title, self.csv()), class_="below"),
            class_="table",
        )  # fmt: skip

    def _head(self, index: int, name: str, numeric: bool) -> Markup:
        content: object = name
        if self.sortable:
            content = element("button", name, type="button")
        return element(
            "th", content, scope="col", class_="number" if numeric else None,
            title=self.help.get(name), aria_sort="none" if self.sortable else None,
        )  # fmt: skip


def _cell(cell: object, column: int, numeric: bool, decimals: int) -> Markup:
    value = _value(cell)
    shown = cell.shown if isinstance(cell, Cell) else _shown(cell, decimals)
    if isinstance(cell, Cell) and cell.strong:
        shown = element("strong", shown)
    key = "" if value is None or value != value else value
    name, scope = ("th", "row") if column == 0 else ("td", None)
    return element(
        name, shown, scope=scope, class_="number" if numeric else None,
        data_key=repr(float(key)) if isinstance(key, float) else str(key),
    )  # fmt: skip


def _shown(cell: object, decimals: int) -> object:
    if cell is None:
        return number(None)
    if isinstance(cell, float) and math.isfinite(cell):
        # Decimals line up, unless a value would vanish.
        if cell and abs(cell) < 0.5 * 10**-decimals:
            return number(cell)
        return f"{cell:,.{decimals}f}".replace("-", "−")
    return number(cell) if isinstance(cell, (int, float)) and not isinstance(cell, bool) else cell


def _decimals(cells: Sequence[object]) -> int:
    """Decimals that give the typical number of a column four digits."""
    sizes = [
        abs(cell) for cell in cells if isinstance(cell, float) and math.isfinite(cell) and cell
    ]
    if not sizes:
        return 0
    return min(8, max(0, 3 - math.floor(math.log10(statistics.median_low(sizes)))))


def _value(cell: object) -> object:
    return cell.value if isinstance(cell, Cell) else cell


def _is_numeric(cells: Sequence[object]) -> bool:
    values = [_value(cell) for cell in cells if _value(cell) is not None]
    return bool(values) and all(isinstance(value, (int, float)) for value in values)
