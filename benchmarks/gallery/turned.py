"""Fashion-MNIST turned at random right angles, as an `.npz` for the data set `image_folder`.

    python benchmarks/gallery/turned.py runs/gallery/turned_fashion_mnist.npz

Each image is turned by a multiple of 90 degrees that is drawn once, so that training and evaluation
see the same images. All four orientations are then as real as each other: a discriminator that
predicts rotations learns nothing about the images from the direction that garments have.
"""

import click
import numpy as np

from compare_gan import files
from compare_gan.datasets.packaged import PATH

_SEED = 0


def turn(images: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """Turns square images [n, s, s] counterclockwise by multiples of 90 degrees, int [n]."""
    turned = images.copy()
    for count in (1, 2, 3):
        turned[turns == count] = np.rot90(images[turns == count], count, axes=(1, 2))
    return turned


def write(path: str) -> None:
    """Writes the turned images, their labels and the names of the classes."""
    with np.load(PATH, allow_pickle=False) as file:
        images, labels, names = file["images"], file["labels"], file["class_names"]
    turns = np.random.RandomState(_SEED).randint(4, size=len(images))
    arrays = {"images": turn(images, turns)[..., None], "labels": labels, "class_names": names}
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


@click.command()
@click.argument("path")
def main(path):
    """Write the images, their labels and the names of the classes to PATH."""
    write(path)


if __name__ == "__main__":
    main()
