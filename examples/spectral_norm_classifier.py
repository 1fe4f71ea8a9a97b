"""A Keras classifier with spectral normalization.

Each kernel is divided by a running estimate of its largest singular value.

python examples/spectral_norm_classifier.py
"""

import argparse

import keras
import numpy as np

from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.layers import Conv2D, Dense


def build_classifier(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Builds a classifier from float [n, H, W, C] in [0, 1] to logits [n, num_classes]."""
    return keras.Sequential(
        [
            keras.Input(image_shape),
            Conv2D(32, 4, strides=2, spectral_norm=True, kernel_initializer="he_normal"),
            keras.layers.LeakyReLU(0.2),
            Conv2D(64, 4, strides=2, spectral_norm=True, kernel_initializer="he_normal"),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Flatten(),
            Dense(num_classes, spectral_norm=True),
            keras.layers.Rescaling(
                10.0
            ),  # Otherwise the bounded logits could not express confidence.
        ]
    )


def largest_singular_values(model: keras.Model) -> list[float]:
    """Largest singular value of each normalized kernel, as a matrix [inputs, outputs]."""
    kernels = [
        np.asarray(layer.normalized_kernel(training=False))
        for layer in model.layers
        if getattr(layer, "spectral_norm", None)
    ]
    return [float(np.linalg.norm(k.reshape(-1, k.shape[-1]), ord=2)) for k in kernels]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--num_examples", type=int, default=10_000)
    args = parser.parse_args()

    dataset = get_dataset("fashion_mnist_10k")
    images, labels = as_arrays(dataset, "train", args.num_examples)
    model = build_classifier(dataset.image_shape, dataset.num_classes)
    model.compile(
        "adam",
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(images / np.float32(255), labels, epochs=args.epochs, validation_split=0.1, verbose=2)
    print("largest singular values:", *(f"{s:.3f}" for s in largest_singular_values(model)))


if __name__ == "__main__":
    main()
