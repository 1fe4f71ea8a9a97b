"""`compare_gan study run | script | status | table | add | prune`: many runs from one file."""

import os
import sys
from typing import TYPE_CHECKING

import click

from compare_gan.commands.start import start_engine
from compare_gan.commands.study_table import table
from compare_gan.errors import UserError
from compare_gan.terminal import for_stdout, printable

if TYPE_CHECKING:
    from compare_gan.studies import Executor, RunRecord, Study


@click.group()
def study() -> None:
    """Make many runs from one file: every combination of some values, several seeds of each.

    \b
    Start with
      compare_gan study run studies/losses_fashion_mnist --study_dir runs/losses
    """  # noqa: D301


study.add_command(table)


@study.command()
@click.argument("file", required=False)
@click.option("--study_dir", required=True, metavar="DIR", help="Directory of the study.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Runs at the same time; they divide the cores and GPUs.  [default: one per GPU, or one; "
    "on a Ray cluster without GPUs one per node]",
)
@click.option(
    "--executor",
    "place",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Where the runs are made: on this machine, or on a Ray cluster.",
)
@click.option(
    "--address",
    metavar="HOST:PORT",
    help="Address of the Ray cluster.  [default: RAY_ADDRESS, or the one of this machine]",
)
@click.option(
    "--only",
    multiple=True,
    metavar="RUN",
    help="Name of a run; repeat the option for several. Others are not made.",
)
@click.option(
    "--search",
    type=click.Choice(["optuna"]),
    help="Program that chooses the variants of a study with study.trials.",
)
@click.option(
    "--retries",
    default=2,
    show_default=True,
    type=click.IntRange(min=0),
    help="Further attempts at a run that fails; one that diverges has ended.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Only check everything, list the runs, and estimate time and disk space.",
)
def run(
    file: str | None,
    study_dir: str,
    workers: int | None,
    place: str,
    address: str | None,
    only: tuple[str, ...],
    search: str | None,
    retries: int,
    dry_run: bool,
) -> None:
    """Make the runs of a study that have neither finished nor diverged.

    FILE is a study file, or the name of an example; it may be left out where the study has begun.
    Started again, it repeats none of those, and interrupted and failed ones resume from their last
    checkpoint. Several processes with the same --study_dir share the runs. With a changed FILE,
    values, variants, seeds and metrics that were added are taken up.

    The exit status is 0 if all runs have finished or diverged, or were pruned by a search, and 1 if
    some have failed.
    """
    environment = dict(os.environ)  # Without what the engine of this process adds.
    from compare_gan.studies import Study

    chosen = Study(file, study_dir=study_dir, only=only or None)
    _check_search(chosen.definition.trials, search, only)
    executor = _executor(place, address, workers, environment)
    start_engine()
    from compare_gan.studies import StudyTable, records
    from compare_gan.studies.results import format_results

    if dry_run:
        chosen.check(environment)
        click.echo(printable(_plan(chosen, study_dir, executor)))
        if trials := chosen.definition.trials:
            left = trials - len(chosen.definition.trials_made)
            seeds = len(chosen.definition.seeds)
            click.echo(f"Search: {left} trials are still to be chosen, each of {seeds} runs")
        return
    runs = chosen.run(retries=retries, executor=executor, environment=environment)
    try:
        click.echo(printable(format_results(StudyTable(runs))))
    except UserError as error:  # The runs have ended all the same.
        click.echo(printable(str(error)), err=True)
    place = for_stdout(study_dir)
    click.echo(f"More: compare_gan study table {place}; compare_gan report {place}")
    unfinished = [each for each in runs if each.state not in records.DONE]
    if any(each.state == records.PAUSED for each in runs):
        click.echo(
            "Paused runs wait for the other runs of their trial: `compare_gan study run --search "
            "optuna` makes them, and compares the trials.",
            err=True,
        )
    if unfinished:
        click.echo(
            f"{len(unfinished)} of {len(runs)} runs have neither finished nor diverged; their "
            f"output is in {chosen.place.file('logs')}.",
            err=True,
        )
        sys.exit(1)


def _check_search(trials: int | None, search: str | None, only: tuple[str, ...]) -> None:
    if search and trials is None:
        raise UserError("--search needs a study with study.trials, the number of trials.")
    if trials is not None and not search and not only:
        raise UserError("The study is a search (study.trials): add --search optuna.")


def _executor(
    place: str, address: str | None, workers: int | None, environment: dict[str, str]
) -> "Executor":
    from compare_gan.studies import LocalExecutor, RayExecutor

    if place == "ray":
        return RayExecutor(address or "auto", workers)
    if address is not None:
        raise UserError("--address is that of a Ray cluster: add --executor ray.")
    return LocalExecutor(workers, environment)


def _plan(chosen: "Study", folder: str, executor: "Executor") -> str:
    """The text of a dry run."""
    from compare_gan.folders.arrangement import counted
    from compare_gan.studies import records
    from compare_gan.studies.display import status_lines
    from compare_gan.training.estimates import free_bytes

    runs = chosen.records()
    left = [run for run in runs if run.state not in records.DONE]
    lines = status_lines(chosen.title, runs)
    if not left and chosen.definition.trials is None:
        return "\n".join([*lines, "All runs have ended: nothing is left to do."])
    slots = executor.slots
    at_once = "one after the other" if slots == 1 else f"{slots} at the same time"
    measured = any(run.state == records.FINISHED for run in runs)
    time, disk = _measured(runs, slots) if measured else _forecast(chosen, left, executor)
    for_runs = f"for {counted(len(left), 'run')}, {at_once}"
    lines.append(f"Time: {time.format(for_runs)}")
    lines.append(f"Disk: {disk}; {free_bytes(folder) / 2**20:,.0f} MiB are free")
    return "\n".join(lines)


def _measured(runs: "list[RunRecord]", slots: int) -> tuple[str, str]:
    """The time, with a place for the runs, and the disk space that are still needed.

    They are those of the runs that have finished.
    """
    from compare_gan.studies import records
    from compare_gan.studies.estimates import bytes_per_run, seconds_left
    from compare_gan.terminal import duration

    left = sum(run.state not in records.DONE for run in runs)
    seconds, size = seconds_left(runs, slots), bytes_per_run(runs)
    time = "not known {}" if seconds is None else f"about {duration(seconds)} {{}}"
    return time, f"about {left * (size or 0) / 2**20:,.0f} MiB"


def _forecast(chosen: "Study", left: "list[RunRecord]", executor: "Executor") -> tuple[str, str]:
    """The same before any run has finished, from the networks of the variants."""
    from compare_gan.studies import LocalExecutor
    from compare_gan.studies.forecast import forecast
    from compare_gan.terminal import duration

    names = {run.variant for run in left}
    found = forecast([each for each in chosen.definition.variants if each.name in names])
    if not found:  # Those of a search are not chosen yet.
        return "not known before a run has finished, {}", "not known before a run has finished"
    devices = executor.slots
    if isinstance(executor, LocalExecutor):  # Runs without a GPU share the processor.
        devices = len({share.gpu for share in executor.shares})
    seconds = sum(
        found[run.variant].seconds * (1 - (run.step or 0) / run.steps) for run in left
    ) / min(devices, len(left))
    size = sum(found[run.variant].size for run in left)
    return (
        f"at least {duration(seconds)} {{}}: the arithmetic of the steps alone, at the rate of a "
        "product of matrices here",
        f"about {size / 2**20:,.0f} MiB",
    )


@study.command()
@click.argument("file", required=False)
@click.option("--study_dir", required=True, metavar="DIR", help="Directory of the study.")
@click.option(
    "--for",
    "system",
    required=True,
    type=click.Choice(["slurm", "kubernetes"]),
    help="A Slurm array, or a Kubernetes Job.",
)
@click.option("--output", metavar="FILE", help="File to write.  [default: standard output]")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Runs at the same time, at most.  [default: as many as there is room for]",
)
@click.option(
    "--cpus", type=click.IntRange(min=1), default=4, show_default=True, help="Cores of each run."
)
@click.option(
    "--gpus", type=click.IntRange(min=0), default=1, show_default=True, help="GPUs of each run."
)
def script(
    file: str | None,
    study_dir: str,
    system: str,
    output: str | None,
    workers: int | None,
    cpus: int,
    gpus: int,
) -> None:
    """Write a script that makes the runs of a study on a cluster: one task for each run.

    FILE is a study file as for `study run`. The configs are checked, and the definition is written
    into the directory, which has to be on a disk that all hosts share. The tasks run
    `compare_gan study run --only RUN` there, so that states, attempts and costs are recorded as on
    one machine.
    """
    environment = dict(os.environ)
    from compare_gan.studies import Study

    chosen = Study(file, study_dir=study_dir)
    if chosen.definition.trials is not None:
        raise UserError(
            "The study is a search, whose trials depend on those before: `compare_gan study run` "
            "makes it, on a cluster with --executor ray."
        )
    start_engine()
    from compare_gan import files
    from compare_gan.studies import records
    from compare_gan.studies.cluster_scripts import TaskArray

    runs = [each.name for each in chosen.records() if each.state not in records.DONE]
    if not runs:
        raise UserError(f"All runs of the study in '{study_dir}' have ended: no task is left.")
    chosen.begin(environment)
    os.makedirs(chosen.place.file("logs"), exist_ok=True)  # Slurm does not make it.
    tasks = TaskArray(
        title=chosen.title,
        study_dir=chosen.place.path,
        runs=runs,
        at_once=workers,
        cpus=cpus,
        gpus=gpus,
    )
    text = tasks.slurm_script() if system == "slurm" else tasks.kubernetes_job()
    if output is None:
        click.echo(text, nl=False)
        return
    files.write_text(output, text)
    submit = "sbatch" if system == "slurm" else "kubectl apply -f"
    click.echo(f"{len(runs)} runs: {submit} {for_stdout(output)}")


@study.command()
@click.argument("directory", metavar="DIR")
def status(directory: str) -> None:
    """Show the state of every run of a study."""
    from compare_gan.studies import StudyDir

    place = StudyDir(directory)
    title = place.definition().title
    from compare_gan.studies.display import status_lines

    click.echo(printable("\n".join(status_lines(title or directory, place.records()))))


@study.command()
@click.argument("directory", metavar="DIR")
@click.option("--seeds", required=True, type=click.IntRange(min=1), help="Number of seeds to add.")
def add(directory: str, seeds: int) -> None:
    """Add seeds to a study, to all its variants.

    `compare_gan study run --study_dir DIR` makes their runs.
    """
    from compare_gan.studies import StudyDir

    extended = StudyDir(directory).add_seeds(seeds)
    added = ", ".join(map(str, extended.seeds[-seeds:]))
    click.echo(
        f"The study now has {len(extended.seeds)} seeds (new: {added}) and "
        f"{len(extended.runs)} runs."
    )
    click.echo(f"compare_gan study run --study_dir {for_stdout(directory)}")


@study.command()
@click.argument("directory", metavar="DIR")
@click.option(
    "--pictures", is_flag=True, help="Also remove sample grids of single steps, and TensorBoard's."
)
@click.option("--yes", is_flag=True, help="Remove without asking.")
def prune(directory: str, pictures: bool, yes: bool) -> None:
    """Remove checkpoints of ended runs, except the last of each.

    Results, logs, configs and inferred labels always stay.
    """
    from compare_gan.studies import StudyDir

    place = StudyDir(directory)
    place.definition()
    start_engine()
    from compare_gan.studies.pruning import find_prunable

    found = find_prunable(place.records(), pictures)
    pictures_too = f", folders with pictures: {len(found.folders)}" if found.folders else ""
    click.echo(
        f"No longer needed: {found.size / 2**20:,.1f} MiB (checkpoints: {len(found.checkpoints)}"
        f"{pictures_too})."
    )
    if not found.checkpoints and not found.folders:
        return
    if not yes and not sys.stdin.isatty():
        raise UserError("--yes is needed to remove them where nobody can be asked.")
    if yes or click.confirm("Remove them?", err=True):
        found.remove()
        click.echo("Removed.")
