"""Batches for the networks of `dummy_arch`, and one trained run that tests share."""

import shutil

import eager
import keras
import numpy as np
import pytest

from compare_gan import config, plots, registry
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import Options
from compare_gan.training.state import TrainState
from compare_gan.training.trainer import Experiment, Trainer

for _kind in ("architecture", "gan", "normalization", "optimizer", "schedule"):
    registry.load(_kind)  # So that gin knows their names.

IMAGE_SHAPE, NUM_CLASSES, Z_DIM = (4, 4, 1), 3, 5


def make_state(seed=0, disc_iters=2, num_classes=NUM_CLASSES):
    """The state of a GAN on `dummy_arch`, as the runner creates it; other options come from gin."""
    keras.utils.set_random_seed(5)
    options = Options(
        architecture="dummy_arch",
        batch_size=8,
        training_steps=10,
        disc_iters=disc_iters,
        z_dim=Z_DIM,
    )
    gan = options.make_gan(IMAGE_SHAPE, num_classes)
    return TrainState(gan, seed, options.optimization, options.batch_size)


def make_batch(disc_iters=2, size=8, unlabelled=(), seed=0):
    """An element of the input pipeline as NumPy arrays, float32 images."""
    random, lead = np.random.RandomState(seed), (disc_iters + 1, size)
    labels, fake_labels = np.eye(NUM_CLASSES, dtype=np.float32)[
        random.randint(NUM_CLASSES, size=(2, *lead))
    ]
    labels[:, list(unlabelled)] = 0
    return {
        "images": random.uniform(size=(*lead, *IMAGE_SHAPE)).astype(np.float32),
        "labels": labels,
        "fake_labels": fake_labels,
        "z": random.normal(size=(*lead, Z_DIM)).astype(np.float32),
        "seed": random.randint(100, size=(disc_iters + 1, 2)).astype(np.int32),
    }


class _Tools:
    make_state = staticmethod(make_state)
    make_batch = staticmethod(make_batch)


@pytest.fixture
def tiny():
    """Makers of tiny GANs and batches."""
    return _Tools


@pytest.fixture(scope="session")
def _finished(tmp_path_factory, tiny_run):
    path = str(tmp_path_factory.mktemp("finished"))
    config.parse([], tiny_run)
    trainer = Trainer(Experiment.from_gin(), RunDir(path))
    with pytest.MonkeyPatch.context() as patch, eager.eagerly():
        patch.setattr("compare_gan.plots.curves.plot_curves", plots.plot_curves)
        trainer.train()
    return path


@pytest.fixture
def finished_run(_finished):
    """`finished_run(path)`: copies the run directory of the finished tiny run there."""
    return lambda path: shutil.copytree(_finished, path, dirs_exist_ok=True)
