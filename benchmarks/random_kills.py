"""Trainings killed at random moments end in the same bits as one that nobody disturbed.

    python benchmarks/random_kills.py --output build/kills --kills 50

One training runs undisturbed, and its duration is measured. Others are sent SIGKILL at moments
drawn uniformly from that duration (in any stage: imports, inference of labels, steps, checkpoints,
evaluation) and started again by the same command until they end; then the next begins, until there
were enough kills. Of each, the inferred labels, the weights of the last checkpoint and all of its
optimizers' state, every row of the log and the scores are compared with the undisturbed training's.
The report is written to `kills.json`, also when something differs; the exit code is then 1.
"""

import collections
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import click
import numpy as np

# The README's main job with fewer and smaller steps, and a checkpoint every few of them.
_BINDINGS = (
    "options.training_steps = 120",
    "options.batch_size = 16",
    "run_config.deterministic = True",
    "run_config.save_checkpoints_steps = 5",
    "run_config.sample_steps = 30",
    "evaluation.num_fake = 200",
    "backbone.width = 4",
    "pretext.training_steps = 200",
    "pretext.save_checkpoints_steps = 10",
)
# What a row of the log says of the machine rather than of the training.
_NOT_COMPARED = re.compile("second|time|images_per")


def _start(run: pathlib.Path) -> subprocess.Popen[str]:
    bindings = [part for binding in _BINDINGS for part in ("--gin_bindings", binding)]
    arguments = ["--gin_config", "s3gan_fashion_mnist", "--model_dir", str(run), *bindings]
    return subprocess.Popen(
        [sys.executable, "-m", "compare_gan.main", "train", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _rows(path: pathlib.Path) -> list[dict]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in row.items() if not _NOT_COMPARED.search(k)} for row in rows]


def _arrays(run: pathlib.Path) -> dict[str, np.ndarray]:
    from compare_gan import engine

    last = max((run / "checkpoints").glob("step-*"), key=lambda p: int(p.name.split("-")[1]))
    with np.load(run / "labels" / "labels.npz") as labels:
        inferred = {f"labels/{name}": labels[name] for name in labels.files}
    return {**engine.read_checkpoint(str(last)), **inferred}


def _differences(first: pathlib.Path, second: pathlib.Path) -> list[str]:
    """The names of what is not equal in two finished trainings."""
    a, b = _arrays(first), _arrays(second)
    differing = sorted(a.keys() ^ b.keys())
    differing += [k for k in a.keys() & b.keys() if not np.array_equal(a[k], b[k], equal_nan=True)]
    if _rows(first / "log.jsonl") != _rows(second / "log.jsonl"):
        differing.append("log.jsonl")
    scores = [
        [row["scores"] for row in map(json.loads, (run / "results.jsonl").open())]
        for run in (first, second)
    ]
    if scores[0] != scores[1]:
        differing.append("results.jsonl")
    return differing


def _stage(err: str) -> str:
    """The stage that a killed process had reached, as its standard error shows it."""
    for stage, sign in (
        ("evaluation or end", r"(^|\n)step 120/120"),
        ("training", r"(^|\n)(step|Start to first step)"),
        ("start of the training", "labels given"),
        ("inference of labels", "pretext step"),
    ):
        if re.search(sign, err):
            return stage
    return "start"


@click.command(help=__doc__.partition("\n")[0])
@click.option("--output", type=click.Path(path_type=pathlib.Path), required=True)
@click.option("--kills", default=50, show_default=True)
@click.option("--seed", default=0, show_default=True, help="Seed of the moments.")
def main(output: pathlib.Path, kills: int, seed: int) -> None:
    output.mkdir(parents=True, exist_ok=True)
    undisturbed, disturbed = output / "undisturbed", output / "disturbed"
    shutil.rmtree(undisturbed, ignore_errors=True)
    started = time.monotonic()
    process = _start(undisturbed)
    _, err = process.communicate()
    if process.returncode:
        raise SystemExit(err)
    duration = time.monotonic() - started
    print(f"Undisturbed: {duration:.0f} s", flush=True)

    draw = random.Random(seed)
    done, finished, wrong = 0, 0, []
    stages: collections.Counter[str] = collections.Counter()
    shutil.rmtree(disturbed, ignore_errors=True)
    while done < kills or disturbed.exists():
        process = _start(disturbed)
        try:
            moment = draw.uniform(0, duration) if done < kills else None
            _, err = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            _, err = process.communicate()
            done += 1
            stages[_stage(err)] += 1
            print(f"Kill {done} after {moment:.1f} s: {_stage(err)}", flush=True)
            continue
        if process.returncode:
            wrong.append({"run": finished, "exit code": process.returncode, "said": err[-2000:]})
        elif differing := _differences(undisturbed, disturbed):
            wrong.append({"run": finished, "differing": differing})
        finished += 1
        print(f"Training {finished} ended; wrong so far: {wrong}", flush=True)
        shutil.rmtree(disturbed)
        report = {"kills": done, "stages": stages, "trainings": finished, "wrong": wrong}
        (output / "kills.json").write_text(json.dumps(report, indent=2) + "\n")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
