"""Scores on Fashion-MNIST with 20 %, all and none of the labels over several seeds, as one table.

    python benchmarks/fashion_mnist_seeds.py --runs runs/seeds

Trains each config with each seed, one after the other, and prints a table; `few_labels/` does so
for all rows of the paper. A seed determines weights, batches and hidden labels. A restarted
benchmark continues where it stopped.
"""

import os
import pathlib
import subprocess
import sys

import click
import numpy as np

from compare_gan.evaluation import comparison
from compare_gan.training.run_dir import RunDir

_EXAMPLES = pathlib.Path(__file__).parents[1] / "example_configs"
CONFIGS = {
    "S³GAN, 20 % of the labels": ("s3gan_fashion_mnist.gin", ()),
    "S³GAN-CO, 20 % of the labels": (
        "few_labels/s3gan_co_fashion_mnist.gin",
        ("dataset.labeled_fraction = 0.2",),
    ),
    "conditional GAN, all labels": ("supervised_fashion_mnist.gin", ()),
    "unconditional GAN": ("unconditional_fashion_mnist.gin", ()),
}


def _run(config: str, seed: int, model_dir: str, bindings: tuple[str, ...]):
    """Trains and evaluates unless already done; returns the last result row."""
    seeds = (f"run_config.tf_random_seed = {seed}", f"dataset.seed = {546 + seed}")
    subprocess.run(
        [sys.executable, "-m", "compare_gan.main", "train", "--model_dir", model_dir,
         "--gin_config", str(_EXAMPLES / config),
         *(part for binding in (*seeds, *bindings) for part in ("--gin_bindings", binding))],
        check=True,
        stdout=sys.stderr,
    )  # fmt: skip
    # The most recent row of the last step.
    return max(
        enumerate(RunDir(model_dir).results().read()), key=lambda each: (each[1].step, each[0])
    )[1]


def _mean_and_std(rows, score: str) -> str:
    values = [row.scores[score].mean for row in rows if score in row.scores]
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}" if len(values) > 1 else "–"


@click.command()
@click.option("--runs", required=True, help="Folder for the run directories.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(min=2))
@click.option("--gin_bindings", multiple=True, help="Bindings added to all configs.")
def main(runs, seeds, gin_bindings):
    rows = {name: [] for name in CONFIGS}
    for seed in range(1, seeds + 1):
        for name, (config, own) in CONFIGS.items():
            model_dir = os.path.join(runs, f"{pathlib.Path(config).stem}_{seed}")
            rows[name].append(_run(config, seed, model_dir, (*own, *gin_bindings)))
    scores = ("fid_fashion_cnn", "is_fashion_cnn", "class_agreement_fashion_cnn")
    print(f"| {seeds} seeds | {' | '.join(f'`{score}`' for score in scores)} |")
    print(f"|---|{'---|' * len(scores)}")
    for name, of_config in rows.items():
        print(f"| {name} | {' | '.join(_mean_and_std(of_config, score) for score in scores)} |")
    names = [name for name, of_config in rows.items() for _ in of_config]
    every = [row for of_config in rows.values() for row in of_config]
    if warning := comparison.warning(
        every, names, ignore=("labels",)
    ):  # Scores of unconditional samples only.
        print(warning)


if __name__ == "__main__":
    main()
