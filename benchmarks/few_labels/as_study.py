"""The finished runs in results.jsonl as the directory of a study, for tables and pages.

    python benchmarks/few_labels/as_study.py runs/few_labels

The study is `studies/few_labels_fashion_mnist`. Its runs have scores and costs, but no networks.
"""

import json
import os
import pathlib

import click

from compare_gan.evaluation.evaluation_options import EvaluationOptions
from compare_gan.evaluation.provenance import NOT_RECORDED, Provenance
from compare_gan.evaluation.results import ResultRow, Score
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.studies import StudyDir, StudyRun, read_study

STUDY = "studies/few_labels_fashion_mnist"
RESULTS = pathlib.Path(__file__).with_name("results.jsonl")
# Labels of the study for the rows of the table.
ROWS = {
    "supervised": "supervised",
    "s2gan": "S2GAN",
    "s3gan": "S3GAN",
    "s2gan_co": "S2GAN-CO",
    "s3gan_co": "S3GAN-CO",
    "clustering": "clustering",
    "clustering_ss": "clustering-SS",
    "single_label": "single-label",
    "single_label_ss": "single-label-SS",
    "random_label": "random-label",
    "ssgan": "SSGAN",
}


def _place_of(key: dict) -> tuple[str, str, int]:
    """The labels of the two axes, and the seed."""
    fraction = key["fraction"]
    labels = "all-or-none" if fraction is None else f"{100 * fraction:g}%"
    return ROWS[key["row"]], labels, key["seed"]


def _row(line: dict) -> ResultRow:
    fields = dict.fromkeys(Provenance.__dataclass_fields__, NOT_RECORDED)
    inferred = line.get("labels")
    return ResultRow(
        step=line["key"]["steps"],
        scores={name: Score(value, 0.0) for name, value in line["scores"].items()},
        provenance=Provenance(**fields | line["protocol"]),
        metrics=EvaluationOptions.metrics,
        training_labels=inferred and {"version": 1, "hidden_accuracy": inferred["accuracy"]},
    )


def _write(place: StudyDir, run: StudyRun, line: dict) -> None:
    """Writes the files of a run from which its record is read."""
    folder = place.run_dir(run.name)
    os.makedirs(folder)
    ResultsFile(os.path.join(folder, "results.jsonl")).add([_row(line)])
    with open(os.path.join(folder, "log.jsonl"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"step": line["key"]["steps"]}) + "\n")
    attempt = place.journal.start(run.name, line["code_version"])
    minutes = line["minutes"]  # Not known of a run that was interrupted.
    seconds = None if minutes is None else 60 * minutes
    place.journal.end(run.name, attempt, "finished", exit_status=0, wall_seconds=seconds)


def convert(folder: str, results: pathlib.Path = RESULTS) -> StudyDir:
    """Writes the directory of the study.

    Args:
      folder: A directory that does not exist.
      results: A line for each run.
    """
    os.makedirs(folder)
    place = StudyDir(folder)
    study = place.update(read_study(STUDY))
    runs = {(*run.variant.axes.values(), run.seed): run for run in study.runs}
    for text in results.read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        _write(place, runs[_place_of(line["key"])], line)
    return place


@click.command()
@click.argument("folder")
def main(folder: str) -> None:
    """Writes the study into FOLDER, which must not exist."""
    try:
        place = convert(folder)
    except FileExistsError as error:
        raise click.ClickException(f"'{folder}' exists already.") from error
    click.echo(f"{len(place.records())} runs: compare_gan study status {folder}")


if __name__ == "__main__":
    main()
