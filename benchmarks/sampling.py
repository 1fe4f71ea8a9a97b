"""Speed of `compare_gan sample --num`: images/s, and the share of time spent in the generator.

    python benchmarks/sampling.py                                  # as in benchmarks/README.md
    python benchmarks/sampling.py resnet_cifar --num 500 --npz

The generators have their initial weights. Rounds with and without writing alternate, so that other
load on the machine affects both; medians and quartiles are shown.
"""

import os
import statistics
import tempfile
import time

import click
from train_step import CONFIGS, _quartiles

from compare_gan.startup import prepare_tensorflow

NAMES = ("s3gan_co_fashion_mnist", "resnet_cifar")


def _make_sampler(name: str):
    """The generator of a config, with its initial weights."""
    from compare_gan import config
    from compare_gan.sampling import Sampler
    from compare_gan.training.trainer import Experiment

    config.parse(*CONFIGS[name])
    experiment = Experiment.from_gin()
    gan = experiment.make_gan()
    return Sampler(
        gan.generator,
        experiment.options.z_dim,
        tuple(experiment.dataset.image_shape),
        num_classes=experiment.dataset.num_classes if gan.conditional else None,
        distribution=experiment.eval_latents,
        standing_statistics=experiment.standing_statistics,
    )


def measure(sampler, num: int, rounds: int, file_name: str) -> tuple[list, list, list]:
    """Measures samples with and without writing them, alternately.

    Args:
      sampler: Source of the images.
      num: Number of images in each round.
      rounds: Number of rounds of each.
      file_name: Name of the output of `write_images`, in a temporary folder.

    Returns:
      Seconds of `write_images`, the part of them inside the compiled generator, and seconds of
      `Sampler.sample`, each [rounds]. On a GPU the second is not meaningful, because the compiled
      generator returns before it has finished.
    """
    from compare_gan import sampling

    inside = 0.0
    compiled = sampler._compiled

    def timed(*args):
        nonlocal inside
        started = time.perf_counter()
        result = compiled(*args)
        inside += time.perf_counter() - started
        return result

    vars(sampler)["_compiled"] = timed
    writing_seconds, sampler_seconds, generating_seconds = [], [], []
    sampler.sample(min(num, 64))  # Traces.
    # Removed only at the end: for a while after deleting files, ext4 is ten times as slow at
    # creating new ones.
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            inside, started = 0.0, time.perf_counter()
            sampling.write_images(sampler, os.path.join(folder, str(i), file_name), num)
            writing_seconds.append(time.perf_counter() - started)
            sampler_seconds.append(inside)
            started = time.perf_counter()
            sampler.sample(num)
            generating_seconds.append(time.perf_counter() - started)
    return writing_seconds, sampler_seconds, generating_seconds


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--num", default=5000, show_default=True, type=click.IntRange(min=1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--npz", is_flag=True, help="Write one .npz file instead of PNG files.")
def main(names, num, rounds, npz):
    prepare_tensorflow()
    print(
        "| config | images | s | images/s | s inside the sampler | share | s without writing | "
        "without / with |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names or NAMES:
        sampler = _make_sampler(name)
        written, inside, alone = measure(sampler, num, rounds, "a.npz" if npz else "images")
        shares = [100 * i / w for i, w in zip(inside, written, strict=True)]
        ratios = [100 * a / w for a, w in zip(alone, written, strict=True)]
        print(
            f"| {name} | {num} | {_quartiles(written)} | {num / statistics.median(written):.0f} | "
            f"{_quartiles(inside)} | {_quartiles(shares)} % | {_quartiles(alone)} | "
            f"{_quartiles(ratios)} % |",
            flush=True,
        )


if __name__ == "__main__":
    main()
