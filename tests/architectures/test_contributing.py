"""The family in CONTRIBUTING.md needs nothing but its own file."""

import pathlib
import re

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.gans import ModularGAN
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep

_GUIDE = pathlib.Path(__file__).parents[2] / "CONTRIBUTING.md"
BATCH, SHAPE, Z_DIM, NUM_CLASSES = 4, (16, 16, 3), 6, 3


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Text of the file, which `import toy` finds; afterwards it is no longer registered."""
    section = _GUIDE.read_text().split("## Add an architecture\n")[1].split("\n## ")[0]
    (text,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    (tmp_path / "toy.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    registry.load("architecture")
    known = dict(registry._components["architecture"])
    monkeypatch.setitem(registry._components, "architecture", known)
    return text


def test_toy_family_trains_from_a_config(toy, tmp_path):
    assert len(toy.splitlines()) < 60
    gin.parse_config(
        """
        import toy
        toy.Generator.ch = 2
        toy.Generator.upsample = 'nearest'
        toy.Discriminator.ch = 2
        toy.Discriminator.project_y = True
        G.batch_norm_fn = @conditional_batch_norm
        D.spectral_norm = True
        """
    )
    (component,) = (c for c in registry.components("architecture") if c.name == "toy_arch")
    assert component.summary == "Small residual networks for 16 x 16 images."
    keras.utils.set_random_seed(0)
    gan = ModularGAN(SHAPE, NUM_CLASSES, "toy_arch", z_dim=Z_DIM, conditional=True)
    state = TrainState(gan, seed=0, optimization=OptimizationOptions())
    kernels = [
        v for v in gan.generator_variables + gan.discriminator_variables if v.name == "kernel"
    ]
    before = [v.numpy() for v in kernels]

    random = np.random.RandomState(0)
    labels = np.eye(NUM_CLASSES, dtype=np.float32)[random.randint(NUM_CLASSES, size=(2, BATCH))]
    batch = {
        "images": random.randint(0, 256, (2, BATCH, *SHAPE)).astype(np.uint8),
        "z": random.normal(size=(2, BATCH, Z_DIM)).astype(np.float32),
        "labels": labels,
        "fake_labels": labels[::-1],
        "seed": np.array([[0, 1], [0, 2]], np.int32),
    }
    result = TrainStep(state)({name: tf.constant(value) for name, value in batch.items()})
    assert np.isfinite(result.numpy()).all()
    assert all(not np.array_equal(v.numpy(), old) for v, old in zip(kernels, before, strict=True))

    inputs = batch["z"][0], labels[0]
    images = gan.generator(inputs)
    assert images.shape == (BATCH, *SHAPE)
    gan.generator.save(tmp_path / "generator.keras")
    loaded = keras.models.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(loaded(inputs), images)
