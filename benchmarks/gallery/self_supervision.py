"""One page on what predicting rotations does, from several studies: at every length of training.

    python benchmarks/gallery/self_supervision.py runs/rotation_upright runs/rotation_turned \
        --output docs/gallery/self_supervision.html

In each study the first variant is the one without the task; the others are compared with it over
common seeds, at each evaluated step. Where a study directory has a `probe.jsonl` (probe.py), the
accuracy of the linear probe is shown in the same way. `compare_gan report` makes the page of a
single study, with its samples.
"""

import json
import pathlib
import statistics
from collections.abc import Mapping, Sequence

import click

from compare_gan.report.charts import Chart, Interval, Line, forest, lines
from compare_gan.report.page import Group, Page, Section, Side, write
from compare_gan.report.tables import Table
from compare_gan.studies import StudyDir
from compare_gan.studies.differences import paired_difference
from compare_gan.studies.records import RunRecord
from compare_gan.studies.table import StudyTable

# By variant, then by step: the values of the seeds.
Values = Mapping[str, Mapping[int, Mapping[int, float]]]

_PROBE = "accuracy of the probe"


def scores_of(records: Sequence[RunRecord], score: str) -> Values:
    """A score of the finished runs, by variant, step and seed."""
    values: dict[str, dict[int, dict[int, float]]] = {}
    for row in StudyTable(records).step_rows():
        if row["state"] == "finished" and row[score] is not None:
            by_step = values.setdefault(row["variant"], {})
            by_step.setdefault(row["step"], {})[row["seed"]] = row[score]
    return values


def probes_of(records: Sequence[RunRecord], path: pathlib.Path) -> Values:
    """The accuracies of `path`, by variant, step and seed; none without such a file."""
    values: dict[str, dict[int, dict[int, float]]] = {}
    runs = {record.name: record for record in records if record.state == "finished"}
    for line in path.read_text().splitlines() if path.exists() else ():
        probed = json.loads(line)
        if record := runs.get(probed["run"]):
            by_step = values.setdefault(record.variant, {})
            by_step.setdefault(probed["step"], {})[record.seed] = probed["accuracy"]
    return values


def courses(values: Values, name: str) -> Chart:
    """The means over seeds against steps, with bands from the lowest to the highest seed.

    A step that only some of the seeds have, as at an interruption, is left out: its mean would be
    one over other seeds than at its neighbours.
    """
    drawn = []
    for variant, by_step in values.items():
        all_seeds = set().union(*by_step.values())
        steps = [step for step in sorted(by_step) if by_step[step].keys() == all_seeds]
        seeds = [list(by_step[step].values()) for step in steps]
        drawn.append(
            Line(
                variant,
                steps,
                [statistics.fmean(each) for each in seeds],
                [min(each) for each in seeds],
                [max(each) for each in seeds],
            )
        )
    note = "Means over seeds; bands reach from the lowest to the highest one."
    return lines(f"{name} against step", drawn, xlabel="step", ylabel=name, note=note)


def differences(values: Values, name: str, short: Mapping[str, str]) -> list[Chart | Table]:
    """Each variant minus the first one at each step, over common seeds: a chart and a table.

    `short` has names of the variants that leave room for the step.
    """
    reference, *others = values
    marks, rows = [], []
    for series, variant in enumerate(others):
        for step in sorted(values[variant].keys() & values[reference].keys()):
            ours, theirs = values[variant][step], values[reference][step]
            seeds = sorted(ours.keys() & theirs.keys())
            if not seeds:
                continue
            x, y = [ours[seed] for seed in seeds], [theirs[seed] for seed in seeds]
            found = paired_difference(x, y)
            low, high = found.interval or (None, None)
            points = [a - b for a, b in zip(x, y, strict=True)]
            row = f"{short[variant]}, step {step:,}"
            marks.append(Interval(row, found.mean, low, high, points, series=series))
            rows.append([variant, step, len(seeds), statistics.fmean(x), statistics.fmean(y),
                         found.mean, low, high, found.p_value])  # fmt: skip
    title = f"{name}: difference to {reference}"
    note = "Student's t interval of the mean difference, 95 %; points are seeds."
    columns = ["variant", "step", "pairs", "mean", f"mean of {reference}", "difference",
               "95 % from", "95 % to", "p"]  # fmt: skip
    return [
        forest(title, marks, xlabel="difference", reference=0, note=note),
        Table(title=title, columns=columns, rows=rows,
              note="p: permutation test of paired differences; 3 pairs cannot give less "
              "than 0.25."),
    ]  # fmt: skip


def study_section(path: str) -> Section:
    """A study: its scores and probes over the steps, and the differences."""
    study_dir = StudyDir(path)
    definition, records = study_dir.definition(), study_dir.records()
    short = {record.variant: ", ".join(record.axes.values()) for record in records}
    blocks: list[Group] = []
    found = {score: scores_of(records, score) for score in StudyTable(records).scores}
    found[_PROBE] = probes_of(records, pathlib.Path(path) / "probe.jsonl")
    for name, values in found.items():
        ordered = {variant: values[variant] for variant in short if variant in values}
        if len(ordered) > 1:
            chart, table = differences(ordered, name, short)
            blocks.append(Group(name, [Side([courses(ordered, name), chart]), table]))
    return Section(definition.title or path, blocks, intro=definition.description)


def write_page(studies: Sequence[str], output: str) -> None:
    """Writes the page on some study directories."""
    page = Page(
        "When does self-supervision help the discriminator?",
        [study_section(path) for path in studies],
        kind="Studies",
        lead="A discriminator that also predicts by how much an image is turned is said to forget "
        "less (Chen et al., 2019). Each study trains with and without this task.",
    )
    write(page, output)


@click.command()
@click.argument("studies", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--output", required=True, help="The HTML file.")
def main(studies, output):
    """Write a page on the STUDIES, directories of `compare_gan study run`."""
    write_page(studies, output)
    print(output)


if __name__ == "__main__":
    main()
