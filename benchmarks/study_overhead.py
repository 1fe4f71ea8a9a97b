"""Time that `compare_gan study run` costs beside the runs that it makes.

    python benchmarks/study_overhead.py --runs 6 --rounds 5

Each round makes the same tiny runs twice, in turn: in a study with one worker, and one after the
other by the commands that the study uses. The difference of the two times, divided by the number
of runs, is the overhead per run. Its parts are read from the study's journal. What the study does
before its first run and after its last one does not grow with their length, and little with their
number: from few runs, the total says more about small studies than about large ones.
"""

import dataclasses
import json
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

import click
import numpy as np

from compare_gan.studies import StudyDefinition, StudyDir, define
from compare_gan.studies.jobs import make_jobs

_BINDINGS = (
    "dataset.name = 'stacked_digits'",
    "stacked_digits.num_examples = 1000",
    "options.gan_class = @ModularGAN",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 8",
    "options.z_dim = 8",
    "evaluation.num_fake = 100",
    "run_config.autotune = False",
)
_STEPS = 4
_COMMAND = (sys.executable, "-m", "compare_gan.main")


@dataclasses.dataclass(frozen=True)
class Seconds:
    """Wall time and processor time of commands, those of their processes included."""

    wall: float
    processor: float


def tiny_study(base: pathlib.Path, runs: int) -> StudyDefinition:
    """A study of tiny runs that differ in the seed.

    Args:
      base: File to which its base config is written.
      runs: Number of runs.
    """
    base.write_text("\n".join(_BINDINGS))
    options = dict(base=str(base), seeds=runs, steps=_STEPS, metrics=["fid"], averaging_runs=1)
    return define(**options)


def timed(commands: Sequence[Sequence[str]]) -> Seconds:
    """Runs `compare_gan` with these arguments, one command after the other."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    for arguments in commands:
        done = subprocess.run([*_COMMAND, *arguments], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Seconds(wall, processor)


def journal_parts(journal: pathlib.Path, began: float, ended: float) -> dict[str, float]:
    """How the wall time of a study divides, in seconds.

    Args:
      journal: Its journal; the runs were made one after the other, at the first attempt.
      began: Time at which its command was started, as of `time.time`.
      ended: Time at which it had ended.
    """
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    starts = [each["time"] for each in entries if each["event"] == "start"]
    ends = [each for each in entries if each["event"] == "end"]
    gaps = [start - end["time"] for start, end in zip(starts[1:], ends, strict=False)]
    return {
        "before the first run, per study": starts[0] - began,
        "between two runs": statistics.median(gaps) if gaps else 0.0,
        "start and end of a run's process, noticed": statistics.median(
            end["time"] - start - end["wall_seconds"]
            for start, end in zip(starts, ends, strict=True)
        ),
        "after the last run, per study": ended - ends[-1]["time"],
    }


def one_round(folder: pathlib.Path, runs: int, study_first: bool) -> dict[str, float]:
    """Measures a study and the same runs alone.

    Args:
      folder: An empty folder.
      runs: Number of runs.
      study_first: Whether the study is made first.

    Returns:
      Seconds of each part by name.
    """
    study = tiny_study(folder / "base.gin", runs)
    begun = {name: StudyDir(folder / name) for name in ("study", "alone")}
    for place in begun.values():
        place.update(study)
    jobs = make_jobs(begun["alone"], study, study.runs, {})
    commands = {
        "study": [["study", "run", "--study_dir", str(begun["study"]), "--workers", "1"]],
        "alone": [list(job.arguments) for job in jobs],
    }
    seconds, parts = {}, {}
    for name in ("study", "alone") if study_first else ("alone", "study"):
        began = time.time()
        seconds[name] = timed(commands[name])
        if name == "study":
            parts = journal_parts(folder / "study" / "journal.jsonl", began, time.time())
    whole, alone = seconds["study"], seconds["alone"]
    return {
        "overhead per run": (whole.wall - alone.wall) / runs,
        "overhead per run, processor time": (whole.processor - alone.processor) / runs,
        **parts,
        "a run alone": alone.wall / runs,
        "a run alone, processor time": alone.processor / runs,
    }


def table(measured: Sequence[Mapping[str, float]]) -> str:
    """The parts as rows, in Markdown: median and quartiles over rounds."""
    lines = ["| part | seconds |", "|---|---|"]
    for part in measured[0]:
        low, median, high = np.quantile([each[part] for each in measured], [0.25, 0.5, 0.75])
        lines.append(f"| {part} | {median:.2f} ({low:.2f}–{high:.2f}) |")
    return "\n".join(lines)


@click.command()
@click.option("--runs", default=6, show_default=True, type=click.IntRange(min=1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=1))
def main(runs: int, rounds: int) -> None:
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(-1, rounds):
            place = pathlib.Path(folder, str(number))
            place.mkdir()
            if number < 0:  # Before, caches did not exist.
                one_round(place, 1, study_first=True)
                continue
            measured.append(one_round(place, runs, study_first=number % 2 == 0))
            click.echo(f"round {number + 1} of {rounds}", err=True)
    print(f"{runs} runs, {rounds} rounds, medians and quartiles\n\n{table(measured)}")


if __name__ == "__main__":
    main()
