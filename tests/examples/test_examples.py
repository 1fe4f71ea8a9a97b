"""Runs the examples as their readers do: as scripts, here with tiny settings."""

import importlib.util
import os
import pathlib
import re
import runpy
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.metrics import frechet_distance
from compare_gan.metrics.extractors import FashionCnn

_ROOT = pathlib.Path(__file__).parents[2]
_NO_TENSORFLOW = (
    _ROOT / "tests" / "backends" / "without_tensorflow"
)  # Makes every import of it fail.


@pytest.fixture(name="example")
def _example(tmp_path):
    """Runs an example in an empty folder; returns its output."""

    def run(name, *args, **environment) -> str:
        done = subprocess.run(
            [sys.executable, str(_ROOT / "examples" / name), *map(str, args)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(_ROOT)} | environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(name="example_forked")
def _example_forked(tmp_path, forks):
    """The same as `example`, on TensorFlow, in a fork of a process that has imported it."""

    def run(name, *args) -> str:
        path = str(_ROOT / "examples" / name)
        code = f"os.chdir({str(tmp_path)!r})\nrunpy.run_path({path!r}, run_name='__main__')"
        with forks.start(*map(str, args), code=f"import os, runpy\n{code}") as process:
            out, err = process.communicate()
        assert process.returncode == 0, err
        return out

    return run


@pytest.fixture(name="example_here")
def _example_here(tmp_path, monkeypatch):
    """Runs an example in this process, in an empty folder; returns its namespace."""

    def run(name, *args) -> dict:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [name, *map(str, args)])
        return runpy.run_path(str(_ROOT / "examples" / name), run_name="__main__")

    return run


def test_a_spectrally_normalized_classifier_learns(example_forked):
    out = example_forked("spectral_norm_classifier.py", "--epochs", 2, "--num_examples", 1500)
    assert float(re.findall(r"val_accuracy: ([\d.]+)", out)[-1]) > 0.5  # Chance level is 0.1.
    values = [float(v) for v in re.search(r"singular values: (.*)", out)[1].split()]
    # One power iteration per step: the estimate lags behind a changing kernel.
    assert len(values) == 3 and all(0.95 < value < 1.1 for value in values)


def test_a_custom_training_loop_draws_samples(example_here, tmp_path, capsys):
    options = {"--steps": 100, "--batch_size": 8, "--ch": 2}
    names = example_here(
        "custom_training_loop.py", *(x for option in options.items() for x in option)
    )
    losses = re.search(r"step 100: D ([-\d.]+), G ([-\d.]+)", capsys.readouterr().out)
    assert all(np.isfinite(float(loss)) for loss in losses.groups())
    assert Image.open(tmp_path / "samples.png").size == (2 + 8 * 58, 2 + 8 * 58)
    code = (_ROOT / "examples" / "custom_training_loop.py").read_text()
    assert len(code.splitlines()) <= 60

    # Moving averages that lag behind wash out the samples: with a decay of 0.999 the ratio is
    # 0.0002 here and 0.3 after 2000 steps.
    z = np.random.RandomState(1).normal(size=(64, 64)).astype(np.float32)
    drawn, trained = (names["generator"]((z, None), training=t).numpy() for t in (False, True))
    assert 0.5 < drawn.std(axis=0).mean() / trained.std(axis=0).mean() < 2


@pytest.mark.parametrize(("backend", "lines"), (("jax", 80), ("torch", 65)))
def test_a_training_loop_of_another_backend_draws_samples(example, tmp_path, backend, lines):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f'{backend} is not installed: pip install -e ".[test-backends]"')
    script = f"{backend}_training_loop.py"
    said = example(
        script, "--steps", 2, "--batch_size", 2, "--ch", 1,
        PYTHONPATH=f"{_NO_TENSORFLOW}:{_ROOT}",
        XLA_FLAGS=os.environ["QUICK_XLA_FLAGS"],
    )  # fmt: skip
    losses = re.search(r"step 2: D ([-\d.]+), G ([-\d.]+)", said)
    assert all(np.isfinite(float(loss)) for loss in losses.groups())
    assert Image.open(tmp_path / "samples.png").size == (2 + 8 * 58, 2 + 8 * 58)
    assert len((_ROOT / "examples" / script).read_text().splitlines()) <= lines


def test_the_fid_of_two_folders(example_forked, tmp_path):
    images, _ = as_arrays(get_dataset("fashion_mnist_10k"), num_examples=40)
    halves = {"a": images[:20], "b": images[20:]}
    # Images of all splits of a folder are used.
    parts = {"a": halves["a"], "b/train": halves["b"][:12], "b/test": halves["b"][12:]}
    for name, part in parts.items():
        _save_images(tmp_path / name, part)
    expected = frechet_distance(*(FashionCnn()(half)[0] for half in halves.values()))
    said = example_forked("fid_of_two_folders.py", "a", "b")
    # Printed with four digits; features of different batches differ in the last float32 digits.
    assert float(said.removeprefix("FID (fashion_cnn): ")) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(
    ("folder", "options", "message"),
    (
        ("missing", (), "FOLDER = 'missing' is not a folder."),
        ("empty", (), "'empty' holds no image .*"),
        ("one", (), "features must cover at least 2 images, received 1."),
        ("sizes", (), "Images differ in size .* set --image_size to resize them."),
        ("good", ("--channels", 2), "--channels must be 1, 3 or None, received 2."),
        ("good", ("--extractor", "fashion"), "Did you mean 'fashion_cnn'"),
    ),
)
def test_mistakes_with_folders_are_reported_with_the_argument_names_of_the_script(
    example_here, tmp_path, capsys, folder, options, message
):
    gray, small = np.zeros((28, 28, 1), np.uint8), np.zeros((8, 8, 1), np.uint8)
    kinds = {"empty": [], "one": [gray], "sizes": [gray, small]}
    for name, images in (kinds | {"good": [gray, gray]}).items():
        _save_images(tmp_path / name, images)
    with pytest.raises(SystemExit) as exited:
        example_here("fid_of_two_folders.py", folder, "good", *options)
    assert exited.value.code == 2
    assert re.search(rf"error: .*{message}.*\n\Z", capsys.readouterr().err)


def test_folders_of_mixed_sizes_and_channels_are_made_uniform(example_here, tmp_path, capsys):
    random = np.random.RandomState(0)
    shapes = ((28, 28, 1), (8, 8, 1), (10, 12, 3))
    _save_images(tmp_path / "a", [random.randint(256, size=s).astype(np.uint8) for s in shapes])
    example_here("fid_of_two_folders.py", "a", "a", "--image_size", 28, "--channels", 1)
    # Equal sets score 0 up to rounding.
    assert float(capsys.readouterr().out.split()[-1]) < 1e-3


def _save_images(folder: pathlib.Path, images) -> None:
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image.squeeze()).save(folder / f"{i}.png")
