"""The command line in an environment without TensorFlow, as `requirements-jax.txt` makes it.

The environment has links to this one's packages: those of the file and what they depend on, no
others. All commands run in one process, because compiling takes JAX longer than anything else.
"""

import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_HERE = pathlib.Path(__file__).parent
_ROOT = _HERE.parents[1]
# Conditional, with spectral norm, tasks and averaged weights.
_RUN = (
    "options.disc_iters = 1",
    "options.architecture = 'sndcgan_arch'",
    "sndcgan.Generator.ch = 8",
    "sndcgan.Discriminator.ch = 8",
    "evaluation.metrics = ['fid']",
    "S3GAN.g_lr = 1e-3",
)
_LABELS = ("dataset.inferred_labels = True", "infer_labels.features = 'raw'")


def _requirements() -> list[Requirement]:
    lines = (_ROOT / "requirements-jax.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def _distributions() -> list[importlib.metadata.Distribution]:
    """What an installer brings for the requirements, from this environment."""
    found, missing = {}, _requirements()
    while missing:
        requirement = missing.pop()
        name = canonicalize_name(requirement.name)
        if name in found or not (requirement.marker is None or requirement.marker.evaluate()):
            continue
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f'{name} is not installed: pip install -e ".[jax]"')
        own = [Requirement(line) for line in found[name].requires or ()]
        missing += [each for each in own if "extra" not in str(each.marker)]
    return list(found.values())


@pytest.fixture(name="python", scope="module")
def _python(tmp_path_factory):
    """The interpreter of an environment without TensorFlow."""
    distributions = _distributions()
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    for distribution in distributions:
        tops = {file.parts[0] for file in distribution.files if file.parts[0] not in ("..", "bin")}
        for top in tops - {"__pycache__"}:
            target = packages / top
            if not target.exists():
                target.symlink_to(distribution.locate_file(top))
    (packages / "checkout.pth").write_text(f"{_ROOT}\n")
    return folder / "bin" / "python"


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(name="outcome", scope="module")
def _outcome(python, folder, tiny_run):
    """The outcomes of the commands by a name for each, and the packages that were imported."""

    def bound(*bindings, of=tiny_run):
        return [part for each in (*of, *bindings) for part in ("--gin_bindings", each)]

    run = ["--model_dir", str(folder / "run")]
    images = str(folder / "images.npz")
    once = ["--num_eval_averaging_runs", "1"]
    cifar10 = bound("dataset.name = 'cifar10'", of=[b for b in tiny_run if "dataset." not in b])
    commands = {
        "list": ["list", "loss"],
        "configs": ["configs"],
        "help": ["train", "--help"],
        "dry run": ["train", *bound(*_RUN), "--dry-run"],
        "train": ["train", *run, *bound(*_RUN), *once],
        "sample": ["sample", *run, "--num", "16", "--out", images],
        "eval": ["eval", *run, "--checkpoint", "3", *once],
        "compare": ["compare", str(folder / "run")],
        "metrics": ["metrics", "--real", images, "--fake", images, "--extractor", "fashion_cnn"],
        "export": ["export", *run, "--out", str(folder / "generator.keras")],
        "label": ["label", "--label_dir", str(folder / "labels"), *bound(*_LABELS)],
        "saved model": ["export", *run, "--out", str(folder / "saved_model")],
        "tfds": ["train", "--model_dir", "x", *cifar10],
        "import": ["import-weights", "google/compare_gan/model_1/1", "--model_dir", "x"],
    }
    (folder / "commands.json").write_text(json.dumps(list(commands.values())))
    hidden = ("PYTHONPATH", "KERAS_BACKEND", "JAX_COMPILATION_CACHE_DIR")
    done = subprocess.run(
        [python, _HERE / "run_commands.py", folder / "commands.json", folder / "results.json"],
        env={name: value for name, value in os.environ.items() if name not in hidden}
        | {
            "JAX_PLATFORMS": "cpu",
            "KERAS_HOME": str(folder),
            "COMPARE_GAN_CACHE": str(folder / "cache"),
            "XLA_FLAGS": os.environ["QUICK_XLA_FLAGS"],
        },
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)  # The processor time of each command.
    outcome = json.loads((folder / "results.json").read_text())
    results = dict(zip(commands, map(tuple, outcome["results"]), strict=True))
    return results | {"packages": outcome["packages"]}


def test_tensorflow_is_not_there(outcome):
    assert {"jax", "keras"} <= set(outcome["packages"])
    assert not {"tensorflow", "torch", "tensorflow_datasets"} & set(outcome["packages"])


@pytest.mark.parametrize(
    ("name", "shown"),
    (("list", "hinge"), ("configs", "s3gan_fashion_mnist "), ("help", "--dry-run")),
)
def test_lists_are_printed(outcome, name, shown):
    status, out, err = outcome[name]
    assert (status, err) == (0, "") and shown in out


def test_a_dry_run_describes_the_run(outcome):
    status, out, err = outcome["dry run"]
    assert status == 0 and "parameters" in out and "MiB activations" in out
    assert err.startswith("TensorFlow is not installed: JAX is the engine.")


def test_a_run_is_trained_and_scored(outcome, folder):
    status, _, err = outcome["train"]
    assert status == 0 and "step 6/6: D " in err
    log = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [2, 3, 4, 6]
    assert all(np.isfinite(row["loss/discriminator"]) for row in log)
    rows = [
        json.loads(each) for each in (folder / "run" / "results.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in rows][-1] == 3  # Of `eval`; the others are of `train`.
    assert {row["step"] for row in rows} == {3, 6}
    again = [row["scores"]["fid_fashion_cnn"]["mean"] for row in rows if row["step"] == 6]
    assert all(np.isfinite(score) and score > 0 for score in again)
    for name in ("samples.png", "losses.png", "config.gin", "tensorboard"):
        assert (folder / "run" / name).exists(), name


def test_images_are_drawn_and_scored(outcome, folder):
    assert outcome["sample"][0] == 0
    with np.load(folder / "images.npz") as file:
        assert file["arr_0"].shape == (16, 8, 8, 3) and file["arr_0"].dtype == np.uint8
        assert file["arr_0"].std() > 0
    status, out, _ = outcome["metrics"]
    # Between a set and itself; the root of a matrix loses half of the digits of float64.
    assert status == 0 and abs(json.loads(out)["scores"]["fid_fashion_cnn"]) < 1e-5
    status, out, _ = outcome["compare"]
    assert status == 0 and "fid_fashion_cnn" in out


def test_the_generator_is_exported(outcome, folder):
    assert outcome["export"][0] == 0 and (folder / "generator.keras").is_file()


def test_labels_are_inferred(outcome, folder):
    status, out, _ = outcome["label"]
    assert status == 0 and out.strip() and (folder / "labels" / "manifest.json").is_file()


@pytest.mark.parametrize("name", ("saved model", "tfds", "import"))
def test_features_of_tensorflow_say_so_in_a_sentence(outcome, name):
    status, out, err = outcome[name]
    # On a busy machine progress is shown too.
    others = ("is the engine", " so far")
    lines = [line for line in err.splitlines() if not any(each in line for each in others)]
    assert status == 2 and out == "" and len(lines) == 1
    assert lines[0].startswith("Error: ") and "needs TensorFlow, which is not installed" in lines[0]
