"""Draws `docs/augmentations.png`, the effect of each augmentation on a few images.

    python scripts/draw_augmentations.py

Every augmentation stands alone in its row and applies to every image, at its default strength.
"""

import os

import click
import numpy as np

from compare_gan.augmentations import ADA, APA, DiffAugment, InstanceNoise
from compare_gan.datasets import get_dataset
from compare_gan.plots import class_grid, save_png
from compare_gan.report.run_augmentations import augmented

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_COLUMNS, _SIDE = 8, 48


@click.command()
@click.option("--out", default=os.path.join(_ROOT, "docs", "augmentations.png"), show_default=True)
def main(out: str) -> None:
    """Writes `out`: rows of images, the first without augmentation."""
    source = get_dataset("synthetic", image_size=_SIDE, num_examples=2 * _COLUMNS).source
    images, _ = next(source.evaluation("train", 2 * _COLUMNS, 2 * _COLUMNS, None))
    real, others = images[:_COLUMNS], images[_COLUMNS:]
    names, rows = ["no augmentation"], [real]
    for name, augmentation in {
        **{f"diff_augment {p}": DiffAugment(p) for p in ("color", "translation", "cutout")},
        **{
            f"ada {policy}": ADA(policy, p=1.0)
            for policy in ("blit", "geometry", "color", "filter", "noise", "cutout")
        },
        "ada, p = 0.2": ADA(p=0.2),
        "ada, p = 0.8": ADA(p=0.8),
        "apa, p = 0.3": APA(p=0.3),
        "instance_noise": InstanceNoise(),
    }.items():
        names.append(name)
        rows.append(augmented([augmentation], real, 255 - others))
    save_png(class_grid(rows, names), out)
    click.echo(f"{out}: {np.shape(rows)[0]} rows")


if __name__ == "__main__":
    main()
