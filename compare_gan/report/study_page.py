"""The page of a study."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence

from compare_gan.errors import UserError
from compare_gan.folders.arrangement import counted
from compare_gan.report.csv_data import csv_link
from compare_gan.report.markup import Block, element
from compare_gan.report.page import Code, Details, Facts, Group, Note, Page, Section
from compare_gan.report.provenance_text import provenance_facts
from compare_gan.report.study_comparisons import axes_section, comparison_section
from compare_gan.report.study_courses import cost_section, course_section
from compare_gan.report.study_samples import sample_section
from compare_gan.report.study_scores import score_section
from compare_gan.report.tables import Cell, Table
from compare_gan.studies.definition import StudyDefinition
from compare_gan.studies.measurements import final_measurement
from compare_gan.studies.records import (
    DIVERGED,
    FAILED,
    FINISHED,
    PRUNED,
    STATES,
    RunRecord,
)
from compare_gan.studies.summary import by_variant
from compare_gan.studies.table import StudyTable
from compare_gan.training.diverged_file import DivergedFile


def study_page(
    records: Sequence[RunRecord],
    definition: StudyDefinition,
    score: str | None = None,
    reasons: Mapping[str, str] | None = None,
) -> Page:
    """The page of a study: scores with intervals, courses, comparisons, samples, costs.

    Args:
      records: The runs.
      definition: The study.
      score: Name of the score that the page is about; None = the first one that was measured.
      reasons: For failed runs, by name, the reason.

    Raises:
      UserError: No run has a score of this name.

    Example:
      >>> from compare_gan.report.study_page import study_page
      >>> from compare_gan.studies import RunRecord, define
      >>> study = define(base="supervised_fashion_mnist", title="Losses", steps=10)
      >>> run = RunRecord(name="run-seed1", variant="run", axes={}, seed=1, steps=10)
      >>> page = study_page([run], study)
      >>> page.title, [section.title for section in page.sections]
      ('Losses', ['Scores', 'Runs', 'Definition'])
    """
    found: list[Section | None] = []
    try:
        table = StudyTable(records)
        if table.scores or score is not None:
            found += _measured(table, table.headline_score(score))
        else:
            found.append(Section("Scores", ["No run of the study has been evaluated yet."]))
            found.append(cost_section(table, None))
    except UserError as error:
        if score is not None:
            raise
        found.append(Section("Scores", [Note(str(error))]))
        table = None
    found += [
        _pruned_section(records, definition.objective or ""),
        _runs_section(records, table, reasons or {}),
        _provenance_section(records),
    ]
    found.append(_definition_section(definition))
    return Page(
        definition.title or "Study",
        [section for section in found if section is not None],
        kind="Study",
        lead=definition.description,
        facts=_facts(records),
    )


def _measured(table: StudyTable, score: str) -> list[Section | None]:
    return [
        score_section(table, score, [name for name in table.scores if name != score]),
        axes_section(table, score),
        course_section(table, score),
        comparison_section(table, score),
        sample_section(table, score),
        cost_section(table, score),
    ]


def _facts(records: Sequence[RunRecord]) -> dict[str, object]:
    states = Counter(run.state for run in records)
    facts: dict[str, object] = {
        "variants": len({run.variant for run in records}),
        "seeds": len({run.seed for run in records}),
        "runs": len(records),
        "finished": states[FINISHED],
        DIVERGED: states[DIVERGED],
    }
    facts |= {state: states[state] for state in STATES if states[state] and state not in facts}
    seconds = [run.wall_seconds for run in records if run.wall_seconds]
    if seconds:
        facts["hours, all runs"] = f"{sum(seconds) / 3600:,.1f}"
    return facts


def _pruned_section(records: Sequence[RunRecord], objective: str) -> Section | None:
    """The trials that a search has pruned; None without any."""
    trials = by_variant(run for run in records if run.state == PRUNED)
    if not trials:
        return None
    axes = list(dict.fromkeys(axis for runs in trials.values() for axis in runs[0].axes))
    rows = []
    for runs in trials.values():
        first = runs[0]
        if first.pruning is not None:
            labels = [first.axes.get(axis) for axis in axes]
            rows.append([*labels, first.pruning.step, first.steps, first.pruning.value])
    table = Table(
        title="Trials that were pruned",
        columns=[*axes, "pruned at step", "of", f"{objective} there"],
        rows=rows,
        note="The score is the mean over seeds at that step: it is not comparable with final ones, "
        "and in no other table. A trial without it had a run that diverged.",
    )
    intro = f"The search has ended the training of {counted(len(rows), 'trial')} early."
    return Section("Pruned trials", [table], intro=intro)


def _runs_section(
    records: Sequence[RunRecord], table: StudyTable | None, reasons: Mapping[str, str]
) -> Section:
    blocks: list[Block | str] = []
    lost = [run for run in records if run.state in (DIVERGED, FAILED)]
    if lost:
        blocks.append(
            Table(
                title="Runs that diverged or failed",
                columns=["run", "state", "step", "of", "reason"],
                rows=[
                    [run.name, run.state, run.step, run.steps, _reason(run, reasons)]
                    for run in lost
                ],
                note="They are in no mean. A diverged run is a result: it counts in the table of "
                "scores, and loses every comparison.",
            )
        )
    blocks.append(Details("All runs", [_all_runs(records)]))
    if table is not None:
        blocks.append(
            element(
                "p", "Everything that is known: ", csv_link("all runs", table.csv()),
                ", one row for each run, with its provenance.",
            )
        )  # fmt: skip
    states = Counter(run.state for run in records)
    counts = [f"{states[state]} {state}" for state in STATES if states[state]]
    return Section("Runs", blocks, intro=f"{counted(len(records), 'run')}: {', '.join(counts)}.")


def _reason(run: RunRecord, reasons: Mapping[str, str]) -> str:
    if run.state == DIVERGED and run.model_dir:
        return DivergedFile(os.path.join(run.model_dir, "DIVERGED")).describe()
    times = "once" if run.attempts == 1 else f"{run.attempts} times"
    return reasons.get(run.name) or (f"tried {times}" if run.attempts else "")


def _all_runs(records: Sequence[RunRecord]) -> Table:
    axes = list(dict.fromkeys(axis for run in records for axis in run.axes))
    finals = [final_measurement(run) for run in records]
    scores = list(dict.fromkeys(name for rows in finals for name in rows))
    return Table(
        title="All runs",
        columns=[
            "run", *axes, "seed", "state", "step", *scores, "minutes", "CPU minutes", "images/s",
            "attempts", "version",
        ],
        rows=[
            [
                run.name, *(run.axes.get(axis) for axis in axes), run.seed, run.state, run.step,
                *(rows[name].scores[name].mean if name in rows else None for name in scores),
                None if run.wall_seconds is None else run.wall_seconds / 60,
                None if run.cpu_seconds is None else run.cpu_seconds / 60,
                run.images_per_second, run.attempts, run.code_version,
            ]
            for run, rows in zip(records, finals, strict=True)
        ],
    )  # fmt: skip


def _provenance_section(records: Sequence[RunRecord]) -> Section | None:
    """How the final scores were measured: one list if they were measured alike.

    Values that differ have the names of their scores, if other scores have other values.
    """
    stated: dict[str, dict[str, list[str]]] = {}
    for run in records:
        for score, row in final_measurement(run).items():
            facts = provenance_facts(row)
            facts.pop("config", None)  # A file in the directory of each run.
            for name, value in facts.items():
                stated.setdefault(name, {}).setdefault(value, []).append(score)
    if not stated:
        return None
    facts = {name: _by_score(values) for name, values in stated.items()}
    return Section("Provenance", [Facts(facts)], intro="How the final scores were measured.")


def _by_score(values: Mapping[str, Sequence[str]]) -> str:
    """The values of a field, each with the names of its scores unless all have the same."""
    names = {value: ", ".join(sorted(set(scores))) for value, scores in values.items()}
    if len(set(names.values())) == 1:
        return "; ".join(names)
    return "; ".join(f"{value} ({scores})" for value, scores in names.items())


def _definition_section(definition: StudyDefinition) -> Section:
    rows = [
        [axis, label, "\n".join(value.bindings)]
        for axis, values in definition.axes.items()
        for label, value in values.items()
    ]
    blocks: list[Block | str] = []
    if rows:
        table = Table(
            title="Axes",
            columns=["axis", "value", "bindings"],
            rows=[
                [axis, label, Cell(text, element("code", text, class_="lines"))]
                for axis, label, text in rows
            ],
            sortable=False,
        )
        blocks.append(Group("Axes", [table]))
    left_out = [
        " and ".join(f"{axis} is {' or '.join(labels)}" for axis, labels in rule.items())
        for rule in definition.exclude
    ]
    if left_out:
        items = [element("li", f"where {rule}") for rule in left_out]
        blocks.append(Group("Left out", [element("ul", *items)]))
    if definition.trials is not None:
        blocks.append(Facts(_search_facts(definition)))
    blocks.append(
        Facts(
            {
                "seeds": ", ".join(map(str, definition.seeds)),
                "steps": "as in the config"
                if definition.steps is None
                else f"{definition.steps:,}",
                "metrics": ", ".join(definition.metrics or ()) or "as in the config",
                "protocol": definition.protocol or "none",
                "sets of samples per score": definition.averaging_runs,
            }
        )
    )
    if definition.source:
        blocks.append(Details("Study file", [Code(definition.source)]))
    blocks.append(Details("Base config", [Code(definition.base)]))
    return Section("Definition", blocks)


def _search_facts(definition: StudyDefinition) -> dict[str, object]:
    """How a search chooses its trials, and ends some of them early."""
    facts: dict[str, object] = {
        f"range of {name}": f"{each.kind}, {each.low:g} to {each.high:g}"
        for name, each in definition.search.items()
    }
    facts |= {
        "trials": definition.trials,
        "objective": definition.objective,
        "sampler": f"{definition.sampler}, seed {definition.search_seed}",
        "pruner": definition.pruner,
    }
    if definition.pruning_steps:
        facts["compared at steps"] = ", ".join(f"{step:,}" for step in definition.pruning_steps)
    return facts
