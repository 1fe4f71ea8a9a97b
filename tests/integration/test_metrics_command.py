"""Runs `compare_gan metrics` and `compare_gan compare` as a user types them."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from compare_gan import main as command_line
from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.engine import progress
from compare_gan.evaluation.scoring import score_sets
from compare_gan.folders import CLASSES_FILE, classes_text

_METRICS = "fid,inception_score"


@pytest.fixture(name="run")
def _run(capsys, monkeypatch, tmp_path):
    """Runs a command; returns standard output and standard error."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)

    def run(*args):
        command_line.main(list(map(str, args)))
        return capsys.readouterr()

    yield run
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(name="folders", scope="module")
def _folders(tmp_path_factory):
    """Two folders of 150 Fashion-MNIST images each, as PNGs."""
    images, labels = as_arrays(get_dataset("fashion_mnist_10k"), num_examples=300)
    folders = []
    for name, part in (("real", slice(None, 150)), ("fake", slice(150, None))):
        folders.append(tmp_path_factory.mktemp(name))
        for i, (image, label) in enumerate(zip(images[part], labels[part], strict=True)):
            Image.fromarray(image[..., 0]).save(folders[-1] / f"{i:06}_{label}.png")
        (folders[-1] / CLASSES_FILE).write_text(classes_text(None))
    return folders


def test_two_folders_score_the_same_as_their_arrays(run, folders, tmp_path, monkeypatch):
    real, fake = folders
    monkeypatch.setattr(progress, "PATIENCE", 0.0)  # Else shorter work shows no progress.
    out, err = run(
        "metrics", "--real", real, "--fake", fake, "--metrics", _METRICS,
        "--extractor", "fashion_cnn", "--output", tmp_path / "new" / "scores.json",
    )  # fmt: skip
    values = json.loads(out)  # Standard output holds nothing but the JSON.
    assert json.loads((tmp_path / "new" / "scores.json").read_text()) == values
    assert f"{fake} 150/150, 0:00 left" in err
    arrays = [
        np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])
        for folder in folders
    ]
    expected = score_sets(*arrays, _METRICS.split(","), "fashion_cnn", batch_size=37)
    assert values["scores"] == pytest.approx(expected.scores, rel=1e-6)
    assert values["protocol"]["extractor"] == "fashion_cnn"
    assert len(values["protocol"]["extractor_hash"]) == 16
    assert values["protocol"]["code_version"] and values["fake_hash"] == expected.fake_hash
    # Real images against real images: near 0 even for so few, and far from the FID of noise.
    noise = np.random.default_rng(0).integers(0, 256, arrays[1].shape, dtype=np.uint8)
    far = score_sets(arrays[0], noise, ["fid"], "fashion_cnn").scores["fid_fashion_cnn"]
    assert values["scores"]["fid_fashion_cnn"] < far / 10


def test_labels_names_and_options_affect_scores(run, folders):
    out, _ = run(
        "metrics", "--real", "fashion_mnist_10k", "--fake", folders[1], "--num_real", 200,
        "--metrics", "fid,class_agreement,inception_score", "--num_fake", 100,
        "--gin_bindings", "inception_score.splits = 4",
    )  # fmt: skip
    values = json.loads(out)
    # The classifier's accuracy on all test images is 92.1 %.
    assert 0.8 < values["scores"]["class_agreement_fashion_cnn"] <= 1.0
    assert values["real"] == "fashion_mnist_10k:train"
    assert values["protocol"]["metric_options"]["is.splits"] == 4
    assert (values["protocol"]["num_real"], values["protocol"]["num_fake"]) == (200, 100)


def test_broken_files_are_named_and_left_out_on_request(run, folders, tmp_path):
    images = [path.read_bytes() for path in sorted(folders[0].glob("*.png"))[:40]]
    for i, content in enumerate(images):
        (tmp_path / f"{i}.png").write_bytes(content[:70] if i == 7 else content)
    arguments = ("metrics", "--fake", tmp_path, "--metrics", "inception_score",
                 "--extractor", "fashion_cnn")  # fmt: skip
    with pytest.raises(SystemExit) as exit_:
        run(*arguments)
    assert exit_.value.code == 2
    out, err = run(*arguments, "--on_error", "skip")
    values = json.loads(out)
    assert "'7.png' in" in err and values["protocol"]["num_fake"] == 39
    [left_out] = values["left_out"]
    assert left_out.startswith(f"{tmp_path}: 7.png: ")


def test_rows_are_compared_with_one_warning(run, folders, tmp_path):
    for name, more in (("a", ()), ("b", ()), ("c", ("--num_fake", 100))):
        run("metrics", "--fake", folders[1], "--metrics", "inception_score", "--extractor",
            "fashion_cnn", "--output", tmp_path / name, *more)  # fmt: skip
    out, err = run("compare", tmp_path / "a", tmp_path / "b")
    assert out.count("\n") == 3 and "is_fashion_cnn" in out and not err
    out, err = run("compare", *(tmp_path / name for name in "abc"))
    assert out.count("\n") == 4
    assert err == (
        "Warning: These scores were measured differently and cannot be compared: num_fake is 150 "
        f"({tmp_path / 'a'}, {tmp_path / 'b'}), 100 ({tmp_path / 'c'}).\n"
    )
