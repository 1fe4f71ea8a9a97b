"""Batches of every kind of source that needs no TensorFlow, as arrays by key.

`python array_batches.py FOLDER OUT.npz` computes them under the Keras backend of the environment,
where TensorFlow must not be imported; `test_train_arrays.py` compares them with those of tf.data.
"""

import contextlib
import gzip
import os
import pathlib
import sys
from unittest import mock

if __name__ == "__main__":  # Makes every import of TensorFlow fail.
    backends = os.path.join(os.path.dirname(__file__), os.pardir, "backends")
    sys.path.insert(0, os.path.join(backends, "without_tensorflow"))

import numpy as np
from PIL import Image

from compare_gan import datasets
from compare_gan.datasets import latents, sources, views, write_label_file

_OPTIONS = dict(batch_size=6, disc_iters=2, z_dim=5, seed=3)
_N = 12


def _array(**changes):
    images = np.random.default_rng(0).integers(0, 256, [_N, 4, 3, 1], np.uint8)
    source = datasets.ArraySource.from_arrays({"train": (images, np.arange(_N) % 4 - 1)})
    return datasets.Dataset("arrays", source, **changes)


def write_files(folder):
    """Writes 12 images of three classes as PNG files and as IDX files, and their soft labels."""
    rng = np.random.default_rng(1)
    for i in range(_N):
        path = folder / "images" / "abc"[i % 3]
        path.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, [9, 7, 3], np.uint8)).save(path / f"{i}.png")
    (folder / "idx").mkdir()
    arrays = {"images-idx3": rng.integers(0, 256, [_N, 5, 5]), "labels-idx1": np.arange(_N)}
    for name, array in arrays.items():
        header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        with gzip.open(folder / "idx" / f"train-{name}-ubyte.gz", "wb") as file:
            file.write(header + array.astype(np.uint8).tobytes())
    soft = rng.dirichlet(np.ones(3), _N).astype(np.float32)
    keys = [f"{'abc'[i % 3]}/{i}.png" for i in range(_N)]
    write_label_file(str(folder / "soft.tfrecord"), keys, soft)


def cases(folder):
    """Name, data set and options of its training batches; files are read from the folder."""
    options = dict(name="image_folder", data_dir=str(folder / "images"))
    yield "arrays", _array(), {}
    yield "replicas", _array(pad_to=6), dict(num_replicas=3, replica_ids=[2, 0], start_step=7)
    yield "hidden", _array(given_mask=np.arange(_N) < 8), dict(fit_label_distribution=True)
    yield "flipped", _array(flip=True, pad_to=6), dict(num_replicas=2, replica_ids=[1, 0])
    normal = latents.LatentDistribution(latents.normal, stddev=0.5)
    yield "normal", _array(), dict(latents=normal)
    chosen = views.select(_array().source, np.arange(_N) % 5 != 1)
    yield "selected", datasets.Dataset("selected", chosen), {}
    synthetic = dict(name="synthetic", image_size=8, num_examples=40)
    yield "synthetic", datasets.get_dataset(**synthetic, labeled_fraction=0.5), {}
    yield "part", datasets.get_dataset(**synthetic, fraction=0.5, labeled_fraction=0.5), {}
    yield "random labels", datasets.get_dataset(**synthetic, labels="random"), {}
    yield "packaged", datasets.get_dataset("fashion_mnist_10k"), {}
    yield "idx", datasets.get_dataset("idx", data_dir=str(folder / "idx")), {}
    yield "noise", datasets.get_dataset("cifar10", fake=True), {}
    yield "folder", datasets.get_dataset(**options, image_size=4), {}
    soft = datasets.ReplaceLabelsOptions(str(folder / "soft.tfrecord"))
    yield "soft", datasets.get_dataset(**options, replace_labels=soft), {}
    with mock.patch.object(sources, "MEMORY_LIMIT", 0):  # Decoded when needed.
        yield "decoded", datasets.get_dataset(**options, image_size=5), {}
        yield "gray", datasets.get_dataset(**options, channels=1), {}


def compute(folder, make_batches):
    """Two steps of training and the evaluation batches of each data set, by key."""
    for name, dataset, options in cases(folder):
        for step, batch in enumerate(make_batches(dataset, **_OPTIONS | options)):
            yield from ((f"{name}/{step}/{key}", value) for key, value in batch.items())
        pairs = datasets.eval_batches(dataset, "train", 3, 7)
        for _ in range(2):  # They can be iterated over again.
            for i, (images, labels) in enumerate(pairs):
                yield f"{name}/evaluation/{i}/images", images
                yield f"{name}/evaluation/{i}/labels", labels
    for fn in (latents.uniform, latents.normal):
        for truncation in (1.0, 0.3):
            draws = datasets.EvaluationLatents(fn).draw([50, 4], [1, 2], truncation)
            yield f"latents/{fn.__name__}/{truncation}", np.asarray(draws)


def first_two(dataset, **options):
    with contextlib.closing(datasets.train_arrays(dataset, **options)) as batches:
        return [next(batches) for _ in range(2)]


if __name__ == "__main__":
    np.savez(sys.argv[2], **dict(compute(pathlib.Path(sys.argv[1]), first_two)))
