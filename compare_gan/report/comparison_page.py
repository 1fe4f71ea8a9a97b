"""The page that compares runs: configs, provenance, scores, curves and samples side by side."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from compare_gan.errors import UserError
from compare_gan.evaluation import comparison
from compare_gan.report.absent import AbsentError
from compare_gan.report.charts import Line, lines
from compare_gan.report.images import PictureFile
from compare_gan.report.markup import Block
from compare_gan.report.page import Details, Note, Page, Section, Side
from compare_gan.report.provenance_text import provenance_facts
from compare_gan.report.run_config import Config, read_config
from compare_gan.report.run_curves import TOTALS, score_line
from compare_gan.report.run_records import (
    Courses,
    Scores,
    read_courses,
    read_scores,
    summarize,
)
from compare_gan.report.tables import Table
from compare_gan.training.run_dir import RunDir

_NOT_SET = "not set"
_XLABEL = "generator step"
_SHOWN_AT_ONCE = 4  # Curves; a click shows the others.

_Part = TypeVar("_Part")


def comparison_page(paths: Sequence[str]) -> Page:
    """The page that compares runs; nothing is computed for it.

    Args:
      paths: Directories of at least two runs.

    Raises:
      UserError: There are fewer, or one is not a run directory.

    Example:
      >>> from compare_gan.report.comparison_page import comparison_page
      >>> comparison_page(["runs/a"])
      Traceback (most recent call last):
      compare_gan.errors.UserError: A page compares at least two runs, received 1.
    """
    distinct = {os.path.realpath(path): path for path in paths}
    if len(distinct) < 2:
        raise UserError(f"A page compares at least two runs, received {len(distinct)}.")
    runs = {name: RunDir(path) for name, path in zip(_names(paths), paths, strict=True)}
    configs = {name: read_config(run) for name, run in runs.items()}
    summaries = {name: summarize(run) for name, run in runs.items()}
    scores = _present(runs, lambda run: read_scores(run, summarize(run).steps))
    sections = [
        Section("Scores", _scores(scores)),
        Section("Config", list(_config(configs))),
        Section("Samples", _samples(runs)),
        Section("Curves", list(_curves(scores, _present(runs, read_courses)))),
        Section("Provenance", list(_provenance(scores))),
    ]
    states = {
        name: f"{each.state}, step {each.step:,}" if each.step is not None else each.state
        for name, each in summaries.items()
    }
    return Page(" and ".join(runs), sections, kind="Comparison", facts=states)


def _names(paths: Sequence[str]) -> list[str]:
    """The last parts of the paths; whole paths if those are the same."""
    names = [os.path.basename(os.path.abspath(path)) for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def _present(runs: Mapping[str, RunDir], read: Callable[[RunDir], _Part]) -> dict[str, _Part]:
    """A part of each run that has it."""
    found = {}
    for name, run in runs.items():
        try:
            found[name] = read(run)
        except AbsentError:
            continue
    return found


def _scores(scores: Mapping[str, Scores]) -> list[Block | str]:
    if not scores:
        return ["No checkpoint of these runs has been scored: `compare_gan eval` does that."]
    rows = {name: each.headline for name, each in scores.items()}
    blocks: list[Block | str] = []
    warning = comparison.warning(list(rows.values()), list(rows))
    if warning:
        blocks.append(Note(warning))
    steps = {row.step for row in rows.values()}
    if len(steps) > 1:
        of_runs = ", ".join(f"{name} {row.step}" for name, row in rows.items())
        blocks.append(Note(f"The scores are of different steps: {of_runs}."))
    measured = list(dict.fromkeys(name for row in rows.values() for name in row.score_names))
    has_difference = len(rows) == 2 and not warning
    table_rows = []
    for score in measured:
        values = [row.scores[score].mean if score in row.scores else None for row in rows.values()]
        line: list[object] = [score, *values]
        if has_difference:
            first, second = values
            line.append(None if first is None or second is None else second - first)
        table_rows.append(line)
    blocks.append(
        Table(
            title="Scores of the last step",
            columns=["score", *rows, *(["difference"] if has_difference else [])],
            rows=table_rows,
            note="One run each: a difference says nothing about other seeds, which a study does.",
        )
    )
    return blocks


def _config(configs: Mapping[str, Config]) -> Iterable[Block | str]:
    values = {
        name: {**config.unset, **{each.name: each.value for each in config.parameters}}
        for name, config in configs.items()
    }
    names = sorted({parameter for each in values.values() for parameter in each}, key=str.lower)
    different = [
        [name, *(each.get(name, _NOT_SET) for each in values.values())]
        for name in names
        if len({each.get(name, _NOT_SET) for each in values.values()}) > 1
    ]
    if different:
        yield Table(
            title="Parameters that differ",
            columns=["parameter", *configs],
            rows=different,
            note="Defaults that a run has used count as values.",
        )
    else:
        yield "All parameters are the same."


def _samples(runs: Mapping[str, RunDir]) -> list[Block | str]:
    found: list[Block | str] = [
        PictureFile(run.file("samples.png"), f"Samples of {name}", name)
        for name, run in runs.items()
        if os.path.isfile(run.file("samples.png"))
    ]
    return [Side(found, narrow=len(found) > 2)] if found else []


def _curves(scores: Mapping[str, Scores], courses: Mapping[str, Courses]) -> Iterable[Block | str]:
    charts = []
    for score in _of_all(each.headline.score_names for each in scores.values()):
        series = [
            score_line(name, each.rows, score)
            for name, each in scores.items()
            if any(score in row.scores for row in each.rows)
        ]
        if any(len(line.x) > 1 for line in series):
            charts.append(lines(score, series, xlabel=_XLABEL))
    values = _of_all(each.values for each in courses.values())
    for value in sorted(values, key=lambda name: (name not in TOTALS, name.partition("/")[0])):
        series = [
            Line(name, each.steps, each.values[value])
            for name, each in courses.items()
            if value in each.values
        ]
        if any(y for line in series for y in line.y):  # Not terms that are always 0.
            charts.append(lines(value, series, xlabel=_XLABEL))
    if charts:
        yield Side(charts[:_SHOWN_AT_ONCE])
    if charts[_SHOWN_AT_ONCE:]:
        yield Details("More curves", [Side(charts[_SHOWN_AT_ONCE:])])


def _of_all(names: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for each in names for name in each))


def _provenance(scores: Mapping[str, Scores]) -> Iterable[Block | str]:
    facts = {name: provenance_facts(each.headline) for name, each in scores.items()}
    names = _of_all(facts.values())
    rows = [[name, *(each.get(name, "") for each in facts.values())] for name in names]
    different = [row for row in rows if len(set(row[1:])) > 1]
    same = [row[:2] for row in rows if len(set(row[1:])) == 1]
    if different:
        yield Table(title="Provenance that differs", columns=["field", *facts], rows=different)
    if same:
        yield Details(
            "Provenance that is the same",
            [Table(title="Provenance that is the same", columns=["field", "value"], rows=same)],
        )
