"""Processor time from the command to the first training step, by stage.

    python benchmarks/start.py                 # the README's main job
    git worktree add /tmp/before v4.0
    python benchmarks/start.py /tmp/before . --rounds 5

Each round starts `compare_gan train` once from each checkout, in turn, and ends it after one step.
The table shows the median and the range of the processor time of all threads, which another load of
the machine changes less than the time on the clock. Labels are inferred before the first round.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import click

# Stages measure with a clock that starts with the process and counts its processor time.
_WORKER = """
import sys, time, types
from compare_gan import main
from compare_gan.commands import training

start_engine = training.start_engine

def start(devices):
    start_engine(devices)
    from compare_gan.engine import stages
    stages.time = types.SimpleNamespace(monotonic=time.process_time)

training.start_engine = start
training.time = types.SimpleNamespace(monotonic=lambda: 0.0)
main.main(sys.argv[1:])
"""
_NO_STAGES = ("steps", "pictures")  # These are on the clock, and no part of the start.


def measure(checkout: pathlib.Path, folder: pathlib.Path, *arguments: str) -> dict[str, float]:
    """Starts a training and ends it after one step.

    Args:
      checkout: The directory of the library.
      folder: An empty directory for the run.
      *arguments: Arguments of `compare_gan train`.

    Returns:
      Seconds of processor time of each stage by name.
    """
    bindings = ("--gin_bindings", "options.training_steps = 1")
    run = subprocess.run(
        [sys.executable, "-c", _WORKER, "train", "--schedule", "train",
         "--model_dir", str(folder), *arguments, *bindings],
        cwd=checkout,  # Python looks for modules there first.
        capture_output=True,
        text=True,
    )  # fmt: skip
    if run.returncode:
        raise RuntimeError(run.stderr)
    [training] = json.loads((folder / "trainings.json").read_text())["trainings"]
    return {name: value for name, value in training["seconds"].items() if name not in _NO_STAGES}


@click.command()
@click.argument("checkouts", nargs=-1, type=click.Path(exists=True, path_type=pathlib.Path))
@click.option("--gin_config", default="s3gan_fashion_mnist", show_default=True)
@click.option("--gin_bindings", multiple=True, metavar="BINDING")
@click.option("--rounds", default=3, show_default=True, type=click.IntRange(min=1))
def main(
    checkouts: tuple[pathlib.Path, ...],
    gin_config: str,
    gin_bindings: tuple[str, ...],
    rounds: int,
) -> None:
    checkouts = checkouts or (pathlib.Path(__file__).parents[1],)
    measured: dict[pathlib.Path, list[dict[str, float]]] = {each: [] for each in checkouts}
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--gin_config", gin_config]
        for binding in gin_bindings:
            arguments += ["--gin_bindings", binding]
        labels = f"infer_labels.label_dir = {os.path.join(folder, 'labels')!r}"
        arguments += ["--gin_bindings", labels, "--gin_bindings", "pretext.training_steps = 1"]
        for number in range(-1, rounds):
            for i, checkout in enumerate(checkouts):
                run = pathlib.Path(folder, f"{number}-{i}")
                seconds = measure(checkout, run, *arguments)
                if number >= 0:  # Before, labels and caches did not exist.
                    measured[checkout].append(seconds)
    print(table({str(checkout): runs for checkout, runs in measured.items()}))


def table(measured: dict[str, list[dict[str, float]]]) -> str:
    """The stages as rows and the checkouts as columns, in Markdown."""
    lines = [f"| stage | {' | '.join(measured)} |", "|---" * (len(measured) + 1) + "|"]
    stages = dict.fromkeys(name for runs in measured.values() for run in runs for name in run)
    for stage in stages:
        cells = (_cell([run.get(stage, 0.0) for run in runs]) for runs in measured.values())
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    totals = (_cell([sum(run.values()) for run in runs]) for runs in measured.values())
    lines.append(f"| total | {' | '.join(totals)} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"


if __name__ == "__main__":
    main()
