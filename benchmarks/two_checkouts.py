"""Training steps of two checkouts of this repository, timed alternately in one run.

    git worktree add /tmp/before v4.0
    python benchmarks/two_checkouts.py /tmp/before . --steps 10

Each checkout trains in a process of its own, with the configs of `benchmarks/train_step.py` there;
the processes take turns, one step each, so that the load of the machine affects both. A table shows
for each config the median and quartiles of seconds per generator step, and of the ratio of
neighbouring steps (second checkout / first: below 1, the second is faster).
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys

import click
from train_step import CONFIGS

_WORKER = """
import json, sys, tempfile, time
sys.path[:0] = ["benchmarks", "."]
from compare_gan.startup import prepare_tensorflow
prepare_tensorflow()
import train_step
try:
    from compare_gan import config
except ImportError:
    from compare_gan.training import config
try:
    from compare_gan.training.run_dir import RunDir
except ImportError:
    RunDir = str
from compare_gan.training.trainer import Experiment, Trainer
try:
    from compare_gan.training.run_options import RunConfig
except ImportError:
    RunConfig = None
# Measured forms of convolutions would depend on the moment of measuring.
fixed = ["run_config.autotune = False"] if hasattr(RunConfig, "autotune") else []
files, bindings = train_step.CONFIGS[sys.argv[1]]
config.parse(files, [*bindings, *fixed, "run_config.tf_random_seed = 1"])
with tempfile.TemporaryDirectory() as folder:
    trainer = Trainer(Experiment.from_gin(), RunDir(folder))
    trainer.run_steps(1)
    for _ in sys.stdin:
        started = time.perf_counter()
        trainer.run_steps(1)
        print(json.dumps(time.perf_counter() - started), flush=True)
"""


def _start(checkout: pathlib.Path, config: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, config],
        cwd=checkout,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    _step(worker)  # Waits until everything is compiled.
    return worker


def _step(worker: subprocess.Popen[str]) -> float:
    """Lets a worker train one step; returns the seconds that it took."""
    assert worker.stdin is not None and worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    line = worker.stdout.readline()
    if not line:
        raise RuntimeError(f"The worker ended with status {worker.wait()}.")
    return json.loads(line)


def _quartiles(values: list[float], digits: int) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


@click.command()
@click.argument("first", type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path))
@click.argument("second", type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path))
@click.option("--configs", default=",".join(CONFIGS), show_default=True)
@click.option("--steps", default=10, show_default=True, type=click.IntRange(min=3))
def main(first: pathlib.Path, second: pathlib.Path, configs: str, steps: int) -> None:
    """Times training steps of the checkouts FIRST and SECOND alternately."""
    click.echo("| config | first, s | second, s | second / first |\n|---|---|---|---|")
    for config in configs.split(","):
        workers = [_start(checkout.resolve(), config) for checkout in (first, second)]
        seconds: list[list[float]] = [[], []]
        for _ in range(steps):
            for worker, own in zip(workers, seconds, strict=True):
                own.append(_step(worker))
        for worker in workers:
            worker.kill()
        ratios = [after / before for before, after in zip(*seconds, strict=True)]
        before, after = (_quartiles(own, 3) for own in seconds)
        click.echo(f"| {config} | {before} | {after} | {_quartiles(ratios, 3)} |")


if __name__ == "__main__":
    main()
