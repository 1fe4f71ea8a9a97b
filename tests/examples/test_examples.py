"""The examples run as their readers run them: as scripts, here with tiny settings."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.metrics import frechet_distance, gaussian_statistics
from compare_gan.metrics.extractors import FashionCnn

_ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(name="example")
def _example(tmp_path):
    """Runs an example in an empty folder; returns what it prints."""

    def run(name, *args) -> str:
        done = subprocess.run(
            [sys.executable, str(_ROOT / "examples" / name), *map(str, args)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_spectrally_normalized_classifier_learns(example):
    out = example("spectral_norm_classifier.py", "--epochs", 2, "--num_examples", 2000)
    assert float(re.findall(r"val_accuracy: ([\d.]+)", out)[-1]) > 0.5  # By chance 0.1.
    values = [float(v) for v in re.search(r"singular values: (.*)", out)[1].split()]
    # One power iteration a step: the estimate lags behind a kernel that moves.
    assert len(values) == 3 and all(0.95 < value < 1.1 for value in values)


def test_a_training_loop_of_ones_own_draws_samples(example, tmp_path):
    out = example("custom_training_loop.py", "--steps", 3, "--batch_size", 8, "--ch", 2)
    losses = re.search(r"step 3: D ([-\d.]+), G ([-\d.]+)", out)
    assert all(np.isfinite(float(loss)) for loss in losses.groups())
    assert Image.open(tmp_path / "samples.png").size == (2 + 8 * 58, 2 + 8 * 58)
    code = (_ROOT / "examples" / "custom_training_loop.py").read_text()
    assert len(code.splitlines()) <= 60


def test_the_fid_of_two_folders(example, tmp_path):
    images, _ = as_arrays(get_dataset("fashion_mnist_10k"), num_examples=40)
    halves = {"a": images[:20], "b": images[20:]}
    for name, half in halves.items():
        (tmp_path / name).mkdir()
        for i, image in enumerate(half):
            Image.fromarray(image[..., 0]).save(tmp_path / name / f"{i}.png")
    statistics = {name: gaussian_statistics(FashionCnn()(half)[0]) for name, half in halves.items()}
    expected = frechet_distance(*statistics["a"], *statistics["b"])
    said = example("fid_of_two_folders.py", "a", "b")
    # Printed with four digits; features of other batches differ in float32's last digits.
    assert float(said.removeprefix("FID (fashion_cnn): ")) == pytest.approx(expected, abs=2e-4)
