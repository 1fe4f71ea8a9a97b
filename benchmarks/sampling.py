"""Speed of `compare_gan sample --num`: images/s, and how much of the time the generator has.

    python benchmarks/sampling.py                                  # as in benchmarks/README.md
    python benchmarks/sampling.py resnet_cifar --num 500 --npz

The generators have their initial weights. Writing and generating alone are measured in turn, so
that what else the machine does touches both; medians and quartiles are shown.
"""

import os
import statistics
import tempfile
import time
import types

import click
from train_step import CONFIGS, _quartiles

from compare_gan.startup import prepare_tensorflow

NAMES = ("s3gan_co_fashion_mnist", "resnet_cifar")


def _make_model(name: str):
    """Of what `load_trained` gives as much as `write_images` needs; with initial weights."""
    from compare_gan import config
    from compare_gan.training.trainer import Experiment

    config.parse(*CONFIGS[name])
    experiment = Experiment.from_gin()
    gan = experiment.make_gan()
    return types.SimpleNamespace(
        generator=gan.generator,
        z_dim=experiment.options.z_dim,
        num_classes=experiment.dataset.num_classes if gan.conditional else None,
    )


def measure(model, num: int, rounds: int, file_name: str) -> tuple[list, list, list]:
    """Writes samples, and generates them only, in turn.

    Args:
      model: Has `generator`, `z_dim` and `num_classes`.
      num: Images in each round.
      rounds: How many of both.
      file_name: What `write_images` is to write, in a folder that is thrown away.

    Returns:
      Seconds of `write_images`, seconds thereof inside the compiled sampler, and seconds of
      `sample_images`, each [rounds]. On a GPU the second says little: there the sampler returns
      before it is done.
    """
    from compare_gan.evaluation import sampling, writing

    inside = 0.0
    sampler = sampling._sampler(model.generator)

    def timed(*args):
        nonlocal inside
        started = time.perf_counter()
        result = sampler(*args)
        inside += time.perf_counter() - started
        return result

    def generate(num):
        sampling.sample_images(
            model.generator, num, sampling.BATCH_SIZE, model.z_dim, model.num_classes, seed=0
        )

    sampling._samplers[model.generator] = timed
    writing_seconds, sampler_seconds, generating_seconds = [], [], []
    generate(min(num, sampling.BATCH_SIZE))  # Traces.
    # Removed at the end only: for a while after files were deleted ext4 is ten times as slow at
    # making new ones.
    with tempfile.TemporaryDirectory() as folder:
        for i in range(rounds):
            inside, started = 0.0, time.perf_counter()
            writing.write_images(model, os.path.join(folder, str(i), file_name), num)
            writing_seconds.append(time.perf_counter() - started)
            sampler_seconds.append(inside)
            started = time.perf_counter()
            generate(num)
            generating_seconds.append(time.perf_counter() - started)
    return writing_seconds, sampler_seconds, generating_seconds


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(NAMES))
@click.option("--num", default=5000, show_default=True, type=click.IntRange(min=1))
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option("--npz", is_flag=True, help="Write one .npz instead of PNGs.")
def main(names, num, rounds, npz):
    prepare_tensorflow()
    print(
        "| config | images | s | images/s | s inside the sampler | share | s without writing | "
        "without / with |\n|---|---|---|---|---|---|---|---|"
    )
    for name in names or NAMES:
        model = _make_model(name)
        written, inside, alone = measure(model, num, rounds, "a.npz" if npz else "images")
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
