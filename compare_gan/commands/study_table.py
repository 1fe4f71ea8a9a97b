"""`compare_gan study table`: the runs of a study as a table."""

from collections.abc import Collection, Mapping, Sequence

import click

from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError
from compare_gan.terminal import printable
from compare_gan.types import Direction

_FORMATS = ("markdown", "latex", "csv", "parquet")
_OF_SUMMARY = ("markdown", "latex")


@click.command("table")
@click.argument("study_dir", metavar="DIR")
@click.option(
    "--format",
    "format_",
    default="markdown",
    show_default=True,
    type=click.Choice(_FORMATS),
    help="markdown, latex: a row for each variant; csv, parquet: a row for each run.",
)
@click.option(
    "--score", metavar="NAME", help="The score of the summary.  [default: the first measured]"
)
@click.option("--against", metavar="VARIANT", help="Compare all other variants with this one.")
@click.option(
    "--axis", metavar="AXIS", help="Compare the labels of this axis, over all else that is equal."
)
@click.option(
    "--steps", is_flag=True, help="With csv or parquet: a row for each evaluated step of each run."
)
@click.option(
    "--where",
    multiple=True,
    metavar="AXIS=LABEL",
    help="Only runs with this label; may be repeated, also for more labels of an axis.",
)
@click.option(
    "--may_differ",
    multiple=True,
    metavar="FIELD",
    help="A field of the provenance in which scores may differ; may be repeated.",
)
@click.option(
    "--better",
    type=click.Choice(("lower", "higher")),
    help="Which values of --score are better, if its metric is your own.",
)
@click.option("--output", metavar="FILE", help="Write to this file instead of printing.")
def table(
    study_dir: str,
    format_: str,
    score: str | None,
    against: str | None,
    axis: str | None,
    steps: bool,
    where: tuple[str, ...],
    may_differ: tuple[str, ...],
    better: Direction,
    output: str | None,
) -> None:
    """Print the runs of a study as a table.

    The summary has a row for each variant: its score at the final step over seeds, intervals, and
    how many runs diverged. It refuses runs whose scores were measured differently.

    DIR is the directory of a study, as for `study run --study_dir`.
    """
    of_summary = {"score": score, "against": against, "axis": axis, "better": better}
    _check(format_, of_summary, steps, output)
    from compare_gan import files
    from compare_gan.studies import StudyDir

    if output:
        files.check_can_write(output)
    place = StudyDir(study_dir)
    place.definition()  # Before the seconds that the next lines take.
    start_engine()
    from compare_gan.studies import StudyTable, select

    records = select(place.records(), _labels(where))
    made = StudyTable(records, {score: better} if score and better else None, may_differ)
    if format_ == "parquet":
        made.write_parquet(str(output), steps)
        return
    if format_ == "csv":
        text = made.csv(steps)
    elif format_ == "latex":
        text = made.latex(score, against, axis)
    else:
        text = made.markdown(score, against, axis)
    if output:
        files.write_text(output, text)
    else:
        click.echo(printable(text), nl=False)


def _check(
    format_: str, of_summary: Mapping[str, str | None], steps: bool, output: str | None
) -> None:
    """Refuses options that the others make meaningless."""
    if format_ == "parquet" and not output:
        raise UserError("--format parquet needs --output FILE: it is not text.")
    if format_ in _OF_SUMMARY and steps:
        raise UserError(f"--steps needs --format csv or parquet, received {format_}.")
    for name, value in of_summary.items():
        if value is not None and format_ not in _OF_SUMMARY:
            raise UserError(
                f"--{name} needs --format markdown or latex: {format_} has all runs and scores."
            )
    if of_summary["better"] and of_summary["score"] is None:
        raise UserError("--better needs --score NAME, the score that it describes.")


def _labels(where: Sequence[str]) -> dict[str, Collection[str]]:
    labels: dict[str, Collection[str]] = {}
    for each in where:
        axis, equals, label = each.partition("=")
        if not equals:
            raise UserError(f"--where must be AXIS=LABEL, received '{each}'.")
        labels[axis] = [*labels.get(axis, ()), label]
    return labels
