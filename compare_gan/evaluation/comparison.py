"""Rows of scores beside each other, and what of their protocols forbids to compare them."""

import json
import os
from collections.abc import Collection, Sequence

from compare_gan.errors import UserError
from compare_gan.evaluation.results import (
    NOT_RECORDED,
    ResultRow,
    metric_of,
    protocol_differences,
)
from compare_gan.evaluation.results_file import ResultsFile

_NONE = "–"
_NO_HASH = ("none", NOT_RECORDED)


def read_rows(path: str) -> list[ResultRow]:
    """The rows of a model directory, of a `results.jsonl`, or what `compare_gan metrics` wrote.

    Raises:
      UserError: There is no such file or directory, it holds no rows, or something else.
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
    """One line that says in what the protocols of rows differ; None where they do not.

    Args:
      rows: The rows.
      names: What each is called.
      ignore: Fields of the protocol that may differ.
    """
    # The first row may lack a metric whose options differ between others.
    fields = {name for row in rows for name in protocol_differences(rows[0], row)}
    if _options_that_differ([_protocol(row)["metric_options"] for row in rows]):
        fields.add("metric_options")
    if "dataset_hash" not in fields and rows[0].protocol.dataset_hash not in _NO_HASH:
        fields -= {"dataset", "split"}  # The same images under other names.
    told = [
        f"{name} is {_values(name, rows, names)}"
        for name in (field for field in _protocol(rows[0]) if field in fields - set(ignore))
    ]
    if not told:
        return None
    return f"These scores were not measured alike, so they do not compare: {'; '.join(told)}."


def format_rows(rows: Sequence[ResultRow], names: Sequence[str]) -> str:
    """A table to read: a line a row, a column for each score that one of them has."""
    scores = list(dict.fromkeys(name for row in rows for name in row.scores))
    cells = [["", "step", "protocol", *scores]]
    for row, name in zip(rows, names, strict=True):
        step = _NONE if row.step is None else str(row.step)
        values = [_score(row, score) for score in scores]
        cells.append([name, step, row.protocol_name or _NONE, *values])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join(lines)


def _read_file(path: str) -> list[ResultRow]:
    with open(path) as file:
        text = file.read()
    try:
        if path.endswith(".jsonl"):
            return [ResultRow.from_json(line) for line in text.splitlines()]
        return [ResultRow.from_json(text)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"'{path}' holds no scores as results.jsonl or `compare_gan metrics` has them."
        ) from error


def _protocol(row: ResultRow) -> dict[str, object]:
    return json.loads(row.to_json())["protocol"]


def _values(field: str, rows: Sequence[ResultRow], names: Sequence[str]) -> str:
    """The values of a field, each with the rows that have it; of options those that differ."""
    protocols = [_protocol(row)[field] for row in rows]
    if field == "metric_options" and (keys := _options_that_differ(protocols)):
        protocols = [{key: v[key] for key in sorted(keys & v.keys())} for v in protocols]
    having: dict[str, list[str]] = {}
    for value, name in zip(protocols, names, strict=True):
        if value == {}:  # Of a row without those metrics.
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        having.setdefault(text, []).append(name)
    return ", ".join(f"{text} ({_some(of_rows)})" for text, of_rows in having.items())


def _options_that_differ(told: Sequence[object]) -> set[str]:
    """Names of options that differ among the rows that have scores of their metric."""
    told = [options for options in told if isinstance(options, dict)]
    keys = {key for options in told for key in options}

    def values(key: str) -> set[str]:
        having = [options for options in told if metric_of(key) in map(metric_of, options)]
        return {json.dumps(options.get(key), sort_keys=True) for options in having}

    return {key for key in keys if len(values(key)) > 1}


def _some(names: Sequence[str]) -> str:
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _score(row: ResultRow, name: str) -> str:
    if name not in row.scores:
        return _NONE
    score = row.scores[name]
    spread = f" ± {score.std:.4f}" if len(row.protocol.seeds) > 1 else ""
    return f"{score.mean:.4f}{spread}"
