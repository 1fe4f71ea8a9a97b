"""Trains the extractor `stacked_digits` and writes its weights into the package.

    python scripts/train_stacked_digits.py

Takes seconds. Prints the accuracy on the fifth of scikit-learn's digits that training does not
see.
"""

import argparse
import pathlib

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from compare_gan import files

_FOLDER = pathlib.Path(__file__).parents[1] / "compare_gan" / "metrics" / "extractors" / "data"


def main() -> None:
    """Trains the network, prints its test accuracy, saves it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--out", default=str(_FOLDER / "stacked_digits.npz"))
    out = parser.parse_args().out
    digits = load_digits()
    # As the data set stores them and the extractor sees them.
    images = np.rint(digits.images * (255 / 16)).reshape(-1, 64) / 255
    tested = np.arange(len(images)) % 5 == 0
    network = MLPClassifier([64], alpha=0.01, max_iter=1000, random_state=0)
    network.fit(images[~tested], digits.target[~tested])
    print(f"{network.score(images[tested], digits.target[tested]):.4f}")
    arrays = {}
    for i, (kernel, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        arrays |= {f"kernel_{i}": kernel.astype(np.float32), f"bias_{i}": bias.astype(np.float32)}
    with files.atomic(out) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


if __name__ == "__main__":
    main()
