"""Seconds of a training step with microbatches and with rematerialization, relative to without.

    python benchmarks/memory_options.py --rounds 5

The three trainings of `resnet_cifar10` (a batch of 64, one discriminator step, without Winograd's
algorithm) take turns, one step each, so that the load of the machine affects all of them.
"""

import statistics
import tempfile
import time

import click

from compare_gan.startup import prepare_tensorflow

_COMMON = (
    "dataset.name = 'synthetic'",
    "dataset.image_size = 32",
    "options.batch_size = 64",
    "options.disc_iters = 1",
    "run_config.winograd = False",
    "run_config.tf_random_seed = 1",
)
_VARIANTS = {
    "without": (),
    "`run_config.microbatches = 4`": ("run_config.microbatches = 4",),
    "`run_config.remat = True`": ("run_config.remat = True",),
}


@click.command(help=__doc__.partition("\n")[0])
@click.option("--rounds", default=5, show_default=True, help="Steps of each.")
def main(rounds: int) -> None:
    prepare_tensorflow()
    from compare_gan import config
    from compare_gan.training import Experiment, RunDir, Trainer

    trainers = {}
    for name, bindings in _VARIANTS.items():
        config.parse(["resnet_cifar10"], [*_COMMON, *bindings])
        trainers[name] = Trainer(Experiment.from_gin(), RunDir(tempfile.mkdtemp()))
        trainers[name].run_steps(1)  # Traces and compiles.
    seconds: dict[str, list[float]] = {name: [] for name in trainers}
    for _ in range(rounds):
        for name, trainer in trainers.items():
            started = time.perf_counter()
            trainer.run_steps(1)
            seconds[name].append(time.perf_counter() - started)
    print("| option | s per step | ratio |\n|---|---|---|")
    first = seconds["without"]
    for name, values in seconds.items():
        ratios = [value / before for value, before in zip(values, first, strict=True)]
        lower, middle, upper = statistics.quantiles(ratios, n=4)
        median = statistics.median(values)
        print(f"| {name} | {median:.2f} | {middle:.2f} ({lower:.2f}–{upper:.2f}) |")


if __name__ == "__main__":
    main()
