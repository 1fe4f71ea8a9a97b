"""Trains the extractor `fashion_cnn` and writes its weights into the package.

    TF_ENABLE_ONEDNN_OPTS=1 python scripts/train_fashion_cnn.py

Reads Fashion-MNIST as IDX files (Debian's package dataset-fashion-mnist); about 9 minutes on
2 cores. Prints the accuracy on the 10,000 test images, which training does not see: 92.1 %.
"""

import argparse
import os

import keras
import numpy as np
import tensorflow as tf

from compare_gan.datasets.idx import DEBIAN_FASHION_MNIST, read_idx
from compare_gan.metrics.extractors import fashion_cnn

_SEED = 0
_SHIFT = 2  # Maximum shift of training batches in pixels.


def load(data_dir: str, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images float32 [n, 28, 28, 1] in [0, 1] and labels uint8 [n] of `train` or `t10k`."""
    images = read_idx(os.path.join(data_dir, f"{split}-images-idx3-ubyte.gz"), rank=3)
    labels = read_idx(os.path.join(data_dir, f"{split}-labels-idx1-ubyte.gz"), rank=1)
    return images[..., None].astype(np.float32) / 255, labels


def shifted(images, labels):
    """A batch, shifted as a whole by up to `_SHIFT` pixels; not mirrored, see `FashionCnn`."""
    size = tf.shape(images)
    padded = tf.pad(images, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)))
    return tf.image.random_crop(padded, size, seed=_SEED), labels


def main() -> None:
    """Trains the network, prints its test accuracy, saves it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data_dir", default=DEBIAN_FASHION_MNIST)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch_size", type=int, default=128)
    default_out = os.path.join(os.path.dirname(fashion_cnn.__file__), "data", "fashion_cnn.npz")
    parser.add_argument("--out", default=default_out)
    args = parser.parse_args()

    keras.utils.set_random_seed(_SEED)
    images, labels = load(args.data_dir, "train")
    batches = (
        tf.data.Dataset.from_tensor_slices((images, labels))
        .shuffle(len(images), seed=_SEED)
        .batch(args.batch_size, drop_remainder=True)
        .map(shifted)
        .prefetch(2)
    )
    model = fashion_cnn.build_fashion_cnn()
    steps = args.epochs * (len(images) // args.batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=4e-3, warmup_steps=steps // 10
    )
    classifier = keras.Model(model.input, model.output[1])
    classifier.compile(
        optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-2),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    classifier.fit(batches, epochs=args.epochs, verbose=2)
    _, accuracy = classifier.evaluate(*load(args.data_dir, "t10k"), batch_size=500, verbose=0)
    print(f"Accuracy on the 10,000 test images: {accuracy:.4f}")
    fashion_cnn.save_weights(model, args.out)
    print(f"{args.out}: {os.path.getsize(args.out):,} bytes")


if __name__ == "__main__":
    main()
