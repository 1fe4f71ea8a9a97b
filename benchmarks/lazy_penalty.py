"""Cost of a lazy penalty: R1 in every k-th discriminator step against R1 in each step and no R1.

    python benchmarks/lazy_penalty.py                  # k = 16 on SNDCGAN at 32 x 32
    python benchmarks/lazy_penalty.py --interval 4 --steps 32

Steps of the three runs alternate, so that other load on the machine affects all of them. The cost
of R1 is the difference in mean seconds from the run without it; the last column is this cost
divided by that of R1 in each step, 1/k at best.
"""

import statistics
import tempfile
import time

import click

from compare_gan.startup import prepare_tensorflow

_CONFIG = [
    "options.gan_class = @ModularGAN",
    "options.architecture = 'sndcgan_arch'",
    "options.batch_size = 64",
    "options.training_steps = 100000",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 32",
    "G.batch_norm_fn = @batch_norm",
    "sndcgan.Generator.ch = 32",
    "sndcgan.Discriminator.ch = 32",
    "r1.gamma = 0.1",
    "run_config.autotune = False",  # All three in the same forms of convolutions.
]


def measure(interval: int, steps: int, bindings=()) -> dict[str, list[float]]:
    """Seconds of each step by run: `none`, `each` (R1 in each step), `lazy`."""
    from compare_gan import config
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Trainer

    runs = {"none": [], "each": ["ModularGAN.penalties = [@r1()]"]}
    runs["lazy"] = [*runs["each"], f"r1.interval = {interval}"]
    with tempfile.TemporaryDirectory() as folder:
        trainers = {}
        for name, own in runs.items():
            config.parse([], [*_CONFIG, *own, *bindings])
            trainers[name] = Trainer(Experiment.from_gin(), RunDir(f"{folder}/{name}"))
            trainers[name].run_steps(interval)  # Traces; the penalty is due again in the next step.
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(steps - steps % interval or interval):
            for name, trainer in trainers.items():
                started = time.perf_counter()
                trainer.run_steps(1)
                seconds[name].append(time.perf_counter() - started)
    return seconds


@click.command()
@click.option("--interval", default=16, show_default=True, type=click.IntRange(min=2))
@click.option("--steps", default=64, show_default=True, type=click.IntRange(min=2))
@click.option("--gin_bindings", multiple=True, help="Bindings added to the config.")
def main(interval, steps, gin_bindings):
    prepare_tensorflow()
    seconds = measure(interval, steps, gin_bindings)
    mean = {name: statistics.fmean(values) for name, values in seconds.items()}
    whole = mean["each"] - mean["none"]
    print("| R1 | mean s a step | cost, s | cost / that of each |\n|---|---|---|---|")
    for name, title in (
        ("none", "none"), ("each", "each step"), ("lazy", f"every {interval} steps")
    ):  # fmt: skip
        cost = mean[name] - mean["none"]
        print(f"| {title} | {mean[name]:.4f} | {cost:.4f} | {cost / whole:.3f} |")


if __name__ == "__main__":
    main()
