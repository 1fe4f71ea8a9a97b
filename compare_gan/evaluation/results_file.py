"""The files of scores: results.jsonl, and a table of the same rows for spreadsheets."""

import csv
import dataclasses
import io
import json
import logging
import os
from collections.abc import Iterable, Mapping, Sequence

from compare_gan import damaged, files, locks
from compare_gan.evaluation.results import VERSION, ResultRow

_log = logging.getLogger(__name__)


class ResultsFile:
    """Result rows on disk: a line of JSON for each, and a table (CSV) made from them.

    The table has one line per row and a column for each score, its standard deviation and each
    field of the provenance; cells are empty where a row has no such value. It is made from the
    rows each time, so it is complete again after a kill between the two; lines in it that are not
    this library's stay. Where a file is damaged, the rest of it is used, and whoever adds rows sets
    the damaged file aside, see `damaged`.

    Args:
      path: The file of rows, `results.jsonl`.
      table: The table; `scores.csv` in the same folder if None.

    Example:
      >>> from compare_gan.evaluation.results_file import ResultsFile
      >>> ResultsFile("runs/s3gan/results.jsonl").read()
      []
    """

    def __init__(self, path: str, table: str | None = None):
        self._path = path
        self._table = table or os.path.join(os.path.dirname(path), "scores.csv")

    def read(self) -> list[ResultRow]:
        """The rows, oldest first; none if nothing has been evaluated.

        Lines that cannot be read are left out, with a warning.

        Raises:
          UserError: A newer version of this library wrote a line.
        """
        lines = self._read()
        lines.warn(self._path)
        return lines.rows

    def _read(self) -> damaged.Lines[ResultRow]:
        return damaged.read_lines(self._path, ResultRow.from_json)

    def add(self, rows: Iterable[ResultRow], known: Sequence[ResultRow] | None = None) -> None:
        """Appends rows and rewrites the table; processes that do so at once wait for each other.

        Args:
          rows: The rows to append; none to make the table only.
          known: The rows that were there when measuring began. A row that another process has
            added since, for the same step with the same provenance, is not added once more.
        """
        with locks.locked(os.path.join(os.path.dirname(self._path), ".results.lock")):
            lines = self._read()
            present = lines.rows
            others = [] if known is None else [_measured(row) for row in present[len(known) :]]
            new = []
            for row in rows:
                if _measured(row) in others:
                    _log.info(
                        "The scores of step %s are not added to '%s': another process has added "
                        "scores of this step with the same provenance meanwhile.",
                        row.step,
                        self._path,
                    )
                else:
                    new.append(row)
            if lines.reason:
                damaged.set_aside(self._path, lines.reason, "the other lines stay", keep=True)
            texts = [*lines.texts, *map(_line, new)]
            files.write_text(self._path, "".join(f"{text}\n" for text in texts))
            files.write_text(self._table, _table([*present, *new], self._foreign_lines()))

    def _foreign_lines(self) -> list[dict[str, str]]:
        """The lines of the table that are not this library's, by column."""
        try:
            table = csv.DictReader(io.StringIO(files.read_text(self._table)), strict=True)
            lines = [line for line in table if not line.get("dataset_hash")]
            if any(None in (*line, *line.values()) for line in lines):
                raise csv.Error("a line is longer or shorter than the first")
        except (csv.Error, UnicodeDecodeError) as error:
            damaged.set_aside(self._table, str(error), "it is made anew from the result rows")
            return []
        return lines


def _line(row: ResultRow) -> str:
    return json.dumps({"version": VERSION, **json.loads(row.to_json())})


def _measured(row: ResultRow) -> dict[str, object]:
    """Everything in a row but its scores, which may differ in the last digits between machines."""
    return {**json.loads(row.to_json()), "scores": None}


def _table(rows: Sequence[ResultRow], foreign: Sequence[Mapping[str, object]]) -> str:
    lines: list[Mapping[str, object]] = [*foreign, *(_table_line(row) for row in rows)]
    columns = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _table_line(row: ResultRow) -> dict[str, object]:
    line: dict[str, object] = {"step": row.step}
    if row.protocol_name:
        line["protocol"] = row.protocol_name
    for name, score in row.scores.items():
        line |= {f"{name}_mean": score.mean, f"{name}_std": score.std}
    for name, value in dataclasses.asdict(row.provenance).items():
        line[name] = json.dumps(value) if isinstance(value, (dict, list, tuple)) else value
    if row.training_labels:
        line["training_labels"] = json.dumps(row.training_labels)
    if row.config:
        line["config"] = row.config
    if row.rollbacks:
        line["rollbacks"] = row.rollbacks
    if row.notes:
        line["notes"] = json.dumps(row.notes)
    return line
