"""Relative time of a training step of each variant of a study, for comparisons at equal time.

    python benchmarks/step_times.py studies/main_job_fashion_mnist --rounds 5 [--cpu_time]

The variants take turns in one process, some steps each, so that other load on the machine affects
all of them. A round's times are divided by those of the first variant in the same round; the table
has the median and the quartiles of these ratios, and the generator steps that take as long as all
steps of the first variant. `options.training_steps` of a variant may be set to that number.
`--cpu_time` counts CPU seconds on one thread instead, as a study's worker on one core spends them,
which other load on the machine hardly affects. Convolutions have the forms of the fixed rule
(`run_config.autotune = False`) unless a variant says otherwise.
"""

import os
import statistics
import tempfile
import time

import click

from compare_gan.errors import UserError
from compare_gan.startup import prepare_tensorflow


def _make_trainer(variant, model_dir):
    from compare_gan import config
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Experiment, Trainer

    config.parse([], ["run_config.autotune = False", variant.config])
    return Trainer(Experiment.from_gin(), RunDir(model_dir))


def step_times(variants, rounds, steps, folder, clock=time.perf_counter):
    """Seconds by `clock` that `steps` steps of each variant take in each round, [rounds][variants].

    Lazy penalties are computed as often as in training if `steps` is a multiple of their interval.
    """
    trainers = [_make_trainer(each, f"{folder}/{i}") for i, each in enumerate(variants)]
    for trainer in trainers:
        trainer.run_steps(steps)  # Traces.
    seconds = []
    for _ in range(rounds):
        seconds.append([])
        for trainer in trainers:
            started = clock()
            trainer.run_steps(steps)
            seconds[-1].append(clock() - started)
    return seconds


@click.command()
@click.argument("file")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--steps", default=16, show_default=True, type=click.IntRange(min=1))
@click.option("--cpu_time", is_flag=True, help="CPU seconds on one thread, for busy machines.")
def main(file, rounds, steps, cpu_time):
    if cpu_time:
        os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    prepare_tensorflow()
    from compare_gan.studies import read_study

    try:
        study = read_study(file)
    except UserError as error:
        raise click.ClickException(str(error)) from error
    with tempfile.TemporaryDirectory() as folder:
        clock = time.process_time if cpu_time else time.perf_counter
        seconds = step_times(study.variants, rounds, steps, folder, clock)
    total = study.variants[0].steps
    print("| variant | s a step | relative | steps in the same time |\n|---|---|---|---|")
    for i, variant in enumerate(study.variants):
        ratios = [row[i] / row[0] for row in seconds]
        low, middle, high = statistics.quantiles(ratios, n=4)
        absolute = statistics.median(row[i] for row in seconds) / steps
        print(
            f"| {variant.name} | {absolute:.3g} | {middle:.3g} ({low:.3g}–{high:.3g}) | "
            f"{total / middle:.0f} |"
        )


if __name__ == "__main__":
    main()
