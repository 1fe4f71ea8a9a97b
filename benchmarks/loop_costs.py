"""The share of a training's wall time that is spent outside of its compiled steps.

    python benchmarks/loop_costs.py --output build/loop_costs

Trains the README's main job (its labels are inferred first) and adds up, from the end of the first
call of the compiled loop on, the seconds inside of these calls, of the records, pictures and early
warnings (`Recorder`), of checkpoints in the foreground, and of the rest: the Python of the loop
itself. Checkpoints are written while training goes on, and compete with it: calls that begin with a
checkpoint and calls that do not are then timed alternately, and the difference is what a checkpoint
costs altogether.
"""

import functools
import pathlib
import shutil
import statistics
import time
from collections import defaultdict

import click

from compare_gan.startup import prepare_tensorflow

_CONFIG = "s3gan_fashion_mnist"
_STEPS_PER_CALL = 10  # Of the alternating calls: a second or two, longer than a checkpoint takes.


class Clock:
    """Seconds spent in methods, by label; those that one method spends in another count once."""

    def __init__(self):
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside = False

    def watch(self, label: str, owner: object, *methods: str) -> None:
        """Replaces methods of an object or a class by ones that are timed."""
        for name in methods:
            setattr(owner, name, self._timed(label, getattr(owner, name)))

    def _timed(self, label, method):
        @functools.wraps(method)
        def timed(*args, **kwargs):
            if self._inside:
                return method(*args, **kwargs)
            self._inside = True
            started = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self._inside = False
                self.seconds[label] += time.perf_counter() - started
                self.ended = time.perf_counter()

        return timed


def _train(run: pathlib.Path, bindings: list[str]):
    """Trains; returns the trainer, the seconds by label, and all seconds."""
    from compare_gan import config
    from compare_gan.training import Experiment, RunDir, Trainer
    from compare_gan.training.recorder import Recorder

    config.parse([_CONFIG], bindings)
    trainer = Trainer(Experiment.from_gin(), RunDir(str(run)))
    clock = Clock()
    first_run = trainer.loop.run

    def first(num_steps):  # The clock starts after the first call, which traces and compiles.
        history = first_run(num_steps)
        trainer.loop.run = first_run
        clock.watch("compiled steps", trainer.loop, "run")
        clock.watch("records, pictures, warnings", Recorder, "on_call", "on_steps", "on_due")
        clock.watch("checkpoints", trainer.checkpoints, "copy", "save", "wait")
        clock.started = time.perf_counter()
        return history

    trainer.loop.run = first
    trainer.train()
    total = clock.ended - clock.started
    clock.seconds["the loop's Python"] = total - sum(clock.seconds.values())
    return trainer, clock.seconds, total


def _checkpoint_seconds(trainer, pairs: int) -> list[float]:
    """How much longer a call takes if a checkpoint is written meanwhile."""
    trainer.loop.iterator = None
    trainer.loop.run(_STEPS_PER_CALL)  # Prepares the batches.
    differences = []
    for i in range(pairs):
        seconds = {}
        for saves in (False, True) if i % 2 else (True, False):
            started = time.perf_counter()
            if saves:
                trainer.checkpoints.save()
            trainer.loop.run(_STEPS_PER_CALL)
            trainer.checkpoints.wait()
            seconds[saves] = time.perf_counter() - started
        differences.append(seconds[True] - seconds[False])
    return differences


@click.command(help=__doc__.partition("\n")[0])
@click.option("--output", type=click.Path(path_type=pathlib.Path), required=True)
@click.option("--steps", type=int, help="Training steps; default: those of the config.")
@click.option("--pairs", default=20, show_default=True, help="Pairs of alternating calls.")
def main(output: pathlib.Path, steps: int | None, pairs: int) -> None:
    prepare_tensorflow()
    shutil.rmtree(output, ignore_errors=True)
    bindings = [] if steps is None else [f"options.training_steps = {steps}"]
    trainer, seconds, total = _train(output, bindings)
    print("| part | s | share |\n|---|---|---|")
    for label, value in sorted(seconds.items(), key=lambda item: -item[1]):
        print(f"| {label} | {value:.2f} | {100 * value / total:.2f} % |")
    saves = trainer.step // trainer.experiment.run_config.save_checkpoints_steps + 1
    differences = _checkpoint_seconds(trainer, pairs)
    lower, median, upper = statistics.quantiles(differences, n=4)
    print(
        f"\nA checkpoint costs {median:.3f} s ({lower:.3f} to {upper:.3f}, quartiles of {pairs}); "
        f"{saves} of them {100 * saves * median / total:.2f} % of the training's {total:.0f} s."
    )


if __name__ == "__main__":
    main()
