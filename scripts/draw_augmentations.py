"""Draws `docs/augmentations.png`, the effect of each augmentation on a few images.

    python scripts/draw_augmentations.py

Every augmentation stands alone in its row and applies to every image, at its default strength.
"""

import os

import click
import numpy as np
from PIL import Image

from compare_gan.augmentations import ADA, APA, DiffAugment, InstanceNoise
from compare_gan.datasets import get_dataset
from compare_gan.plots import class_grid, save_png
from compare_gan.report.run_augmentations import augmented

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_COLUMNS, _SIDE = 8, 48
_COLOURS = np.array([[1, 0.4, 0.3], [0.4, 0.8, 0.4], [0.4, 0.6, 1], [1, 0.8, 0.3]])


@click.command()
@click.option("--out", default=os.path.join(_ROOT, "docs", "augmentations.png"), show_default=True)
def main(out: str) -> None:
    """Writes `out`: rows of images, the first without augmentation."""
    images = _garments(2 * _COLUMNS)
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


def _garments(n: int) -> np.ndarray:
    """Packaged images, which have an orientation, enlarged and coloured on black.

    Args:
      n: Number of images.

    Returns:
      uint8 [n, _SIDE, _SIDE, 3].
    """
    source = get_dataset("fashion_mnist_10k").source
    images, _ = next(source.evaluation("train", n, n, None))
    resized = [np.asarray(Image.fromarray(x[..., 0]).resize((_SIDE, _SIDE))) for x in images]
    return np.uint8(
        np.stack(resized)[..., None] * _COLOURS[np.arange(n) % len(_COLOURS), None, None]
    )


if __name__ == "__main__":
    main()
