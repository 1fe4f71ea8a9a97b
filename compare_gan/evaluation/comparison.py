"""Comparison of result rows: a table, and a warning if they were measured differently."""

import json
import os
from collections.abc import Collection, Sequence
from typing import Any

from compare_gan import damaged
from compare_gan.errors import UserError
from compare_gan.evaluation.provenance import (
    MAY_BE_NONE,
    NONE,
    NOT_RECORDED,
    compared_options,
    metric_of,
)
from compare_gan.evaluation.results import ResultRow, provenance_differences, spread_note
from compare_gan.evaluation.results_file import ResultsFile

_NO_VALUE = "–"
_NO_HASH = (NONE, NOT_RECORDED)


def read_rows(path: str) -> list[ResultRow]:
    """The rows of a run directory, a `results.jsonl`, or an output of `compare_gan metrics`.

    Raises:
      UserError: There is no such file or directory, or it holds no rows.
    """
    if os.path.isdir(path):
        rows = ResultsFile(os.path.join(path, "results.jsonl")).read()
    elif os.path.isfile(path):
        rows = _read_file(path)
    else:
        raise UserError(f"There is no file or folder '{path}'.")
    if not rows:
        raise UserError(f"'{path}' holds no scores: nothing has been evaluated there.")
    return rows


def warning(
    rows: Sequence[ResultRow], names: Sequence[str], ignore: Collection[str] = ()
) -> str | None:
    """One line on how the provenance of rows differs; None if it does not.

    Args:
      rows: The rows.
      names: Name of each row.
      ignore: Fields of the provenance that may differ.
    """
    found = differences(rows, names, ignore)
    if not found:
        return None
    return f"These scores were measured differently and cannot be compared: {'; '.join(found)}."


def differences(
    rows: Sequence[ResultRow], names: Sequence[str], ignore: Collection[str] = ()
) -> list[str]:
    """How the provenance of rows differs: for each such field a clause with values and rows.

    Args:
      rows: The rows, at least one.
      names: Name of each row.
      ignore: Fields of the provenance that may differ.
    """
    fields = {name for row in rows for name in provenance_differences(rows[0], row)}
    # The first row may be the one for which a field does not matter, or lack a metric whose options
    # differ between others.
    for name in MAY_BE_NONE:
        if len({getattr(row.provenance, name) for row in rows} - {NONE}) > 1:
            fields.add(name)
    if _options_that_differ([_provenance(row)["metric_options"] for row in rows]):
        fields.add("metric_options")
    if "dataset_hash" not in fields and rows[0].provenance.dataset_hash not in _NO_HASH:
        fields -= {"dataset", "split"}  # The same images under other names.
    return [
        f"{name} is {_values(name, rows, names)}"
        for name in _provenance(rows[0])
        if name in fields - set(ignore)
    ]


def format_rows(rows: Sequence[ResultRow], names: Sequence[str]) -> str:
    """A table as text: one line per row, one column for each score of any row, and notes."""
    scores = list(dict.fromkeys(name for row in rows for name in row.score_names))
    cells = [["", "step", "protocol", *scores]]
    for row, name in zip(rows, names, strict=True):
        step = _NO_VALUE if row.step is None else str(row.step)
        values = [_score(row, score) for score in scores]
        cells.append([name, step, row.protocol_name or _NO_VALUE, *values])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    notes: dict[str, list[str]] = {}
    for row, name in zip(rows, names, strict=True):
        for note in dict.fromkeys(row.notes):
            notes.setdefault(note, []).append(name)
    lines += [f"Note on {', '.join(noted)}: {note}" for note, noted in notes.items()]
    spread = spread_note(rows)
    return "\n".join([*lines, spread] if spread else lines)


def _read_file(path: str) -> list[ResultRow]:
    if path.endswith(".jsonl"):
        lines = damaged.read_lines(path, ResultRow.from_json)
        lines.warn(path)
        if lines.rows or not lines.reason:
            return lines.rows
    else:
        try:
            return [ResultRow.from_json(_text(path), f"'{path}'")]
        except UserError:
            raise
        except damaged.FORM_ERRORS:
            pass
    raise UserError(f"'{path}' is neither a results.jsonl nor an output of `compare_gan metrics`.")


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _provenance(row: ResultRow) -> dict[str, Any]:
    fields = json.loads(row.to_json())["protocol"]
    return fields | {"metric_options": compared_options(fields["metric_options"], row.scores)}


def _values(field: str, rows: Sequence[ResultRow], names: Sequence[str]) -> str:
    """The values of a field, each with the rows that have it; only options that differ."""
    values = [_provenance(row)[field] for row in rows]
    if field == "metric_options" and (keys := _options_that_differ(values)):
        values = [{key: v[key] for key in sorted(keys & v.keys())} for v in values]
    having: dict[str, list[str]] = {}
    for value, name in zip(values, names, strict=True):
        if value == {}:  # A row without those metrics.
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        having.setdefault(text, []).append(name)
    return ", ".join(f"{text} ({_some(of_rows)})" for text, of_rows in having.items())


def _options_that_differ(recorded: Sequence[object]) -> set[str]:
    """Names of options that differ among the rows that have scores of their metric."""
    each_row = [options for options in recorded if isinstance(options, dict)]
    keys = {key for options in each_row for key in options}

    def values(key: str) -> set[str]:
        having = [options for options in each_row if metric_of(key) in map(metric_of, options)]
        return {json.dumps(options.get(key), sort_keys=True) for options in having}

    return {key for key in keys if len(values(key)) > 1}


def _some(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _score(row: ResultRow, name: str) -> str:
    return row.score_text(name) if name in row.scores else _NO_VALUE
