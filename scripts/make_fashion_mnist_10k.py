"""Makes the packaged data set `fashion_mnist_10k`: the 10,000 test images of Fashion-MNIST.

It uses the test images rather than the training images, so that a feature extractor trained on the
60,000 training images has not seen the images that it evaluates.

    python scripts/make_fashion_mnist_10k.py            # from Debian's package
    python scripts/make_fashion_mnist_10k.py --data_dir FOLDER_OF_IDX_FILES
"""

import os

import click
import numpy as np

from compare_gan.datasets import idx, packaged


@click.command()
@click.option("--data_dir", default=idx.DEBIAN_FASHION_MNIST, show_default=True)
@click.option("--out", default=packaged.PATH, show_default=True)
def main(data_dir, out):
    """Writes `out` (.npz: uint8 images [10000, 28, 28], labels [10000], class names)."""
    folder = os.path.abspath(data_dir)
    images = idx.read_idx(os.path.join(folder, "t10k-images-idx3-ubyte.gz"), 3)
    labels = idx.read_idx(os.path.join(folder, "t10k-labels-idx1-ubyte.gz"), 1)
    np.savez_compressed(
        out, images=images, labels=labels, class_names=np.array(idx.FASHION_MNIST_CLASSES)
    )
    click.echo(f"{out}: {len(images)} images, {os.path.getsize(out) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
