"""Labels are inferred, a GAN is trained on them, and every command works on the run."""

import json
import logging
import re
import shutil

import pytest

from compare_gan import main as command_line

_INFER = (
    "dataset.labeled_fraction = 0.25",
    "dataset.inferred_labels = True",
    "S3GAN.use_predictor = False",
    "backbone.width = 4",
    "backbone.units = [1]",
    "infer_labels.layer = 'block1'",
    "pretext.training_steps = 3",
    "pretext.batch_size = 4",
)

_SOFT = "S3GAN.use_soft_labels = True"


@pytest.fixture(name="run")
def _run(capsys, monkeypatch, tmp_path, tiny_run):
    """Runs a command with the tiny run's bindings; returns its exit status and output."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)

    def run(command, *more, bindings=()):
        if command in ("train", "label"):
            bindings = (*tiny_run, *_INFER, *bindings)
        given = [part for binding in bindings for part in ("--gin_bindings", binding)]
        status = 0
        try:
            command_line.main([command, *more, *given])
        except SystemExit as error:
            status = error.code
        return status, "".join(capsys.readouterr())

    yield run
    logger.handlers, logger.level, logger.propagate = before


def test_one_command_makes_labels_and_gan(run, tmp_path, eagerly):
    status, said = run("train", "--model_dir", "run", "--schedule", "train")
    assert status == 0, said
    assert "pretext step 3/3: rotation loss" in said and "step 6/6" in said
    assert "E0000" not in said
    assert re.search(r"8 labels given, 32 inferred: [\d.]+ % of the inferred ones are right", said)
    config = (tmp_path / "run" / "operative_config.gin").read_text()
    assert "pretext.training_steps = 3" in config and "infer_labels.grid = 4" in config
    assert (tmp_path / "run/labels/manifest.json").exists()
    assert (tmp_path / "run/samples/real.png").exists()
    made = json.loads((tmp_path / "run/training_labels.json").read_text())
    manifest = json.loads((tmp_path / "run/labels/manifest.json").read_text())
    assert made == {
        "version": 2,
        "method": "classifier",
        "features": "self_supervised",
        "soft": False,
        "labeled_fraction": 0.2,
        "hidden_accuracy": manifest["reported_only"]["hidden_accuracy"],
        "hash": manifest["files"]["labels.npz"],
    }
    # Training continues: neither stage is repeated. Then the labels are no longer needed.
    more = ["options.training_steps = 7"]
    status, said = run("train", "--model_dir", "run", "--schedule", "train", bindings=more)
    assert status == 0 and "pretext" not in said and "step 7/7" in said
    shutil.rmtree(tmp_path / "run" / "labels")
    status, said = run(
        "train", "--model_dir", "run", "--num_eval_averaging_runs", "1", bindings=more
    )
    assert status == 0 and "pretext" not in said and "Step 7: 1 x 40 samples" in said
    status, said = run("eval", "--model_dir", "run", "--num_eval_averaging_runs", "1")
    assert status == 0 and "Step 7: 1 x 40 samples" in said
    status, said = run("sample", "--model_dir", "run", "--class", "2")
    assert status == 0, said
    rows = [json.loads(line) for line in (tmp_path / "run/results.jsonl").read_text().splitlines()]
    assert [row["training_labels"] for row in rows] == [made] * 2


def test_runs_share_labels(run, tmp_path, eagerly):
    raw = "infer_labels.features = 'raw'"
    status, said = run("label", "--label_dir", "shared", bindings=[raw])
    assert status == 0 and said.startswith("shared\n"), said
    train = ("train", "--schedule", "train", "--model_dir")
    raw = (raw, "infer_labels.label_dir = 'shared'", "options.training_steps = 2")
    status, said = run(*train, "a", bindings=[*raw, "run_config.tf_random_seed = 8"])
    assert status == 0 and "Labels are taken from shared." in said
    assert not (tmp_path / "a" / "labels").exists()
    status, said = run(*train, "b", bindings=[*raw, "dataset.labeled_fraction = 0.5"])
    assert status == 2 and "The labels in 'shared' were made for num_given_labels = 8" in said
    assert not (tmp_path / "b" / "checkpoints").exists()


def test_a_run_does_not_go_on_with_other_labels(run, tmp_path, monkeypatch, eagerly):
    raw, few = "infer_labels.features = 'raw'", "options.training_steps = 1"
    train = ("train", "--schedule", "train", "--model_dir", "run")
    status, said = run(*train, bindings=[raw, few])
    assert status == 0, said
    config = (tmp_path / "run" / "config.gin").read_text()
    soft = [raw, "infer_labels.soft = True", _SOFT]
    status, said = run(*train, bindings=soft)
    assert status == 2 and "(S3GAN.use_soft_labels: not set → True)" in said
    status, said = run(*train, "--allow_config_change", bindings=soft)
    assert status == 2 and "trained on hard labels inferred from raw features (cl" in said
    assert "the config asks for soft labels inferred from raw features (classifier):" in said
    status, said = run(*train, bindings=[raw, "dataset.inferred_labels = False"])
    assert status == 2 and "the config asks for given labels" in said
    shutil.rmtree(tmp_path / "run" / "labels")
    status, said = run(*train, bindings=["infer_labels.features = 'untrained'"])
    assert status == 2
    assert "was trained on hard labels inferred from raw features (classifier) until now" in said
    with monkeypatch.context() as patch:  # Reported before any labels are trained.
        patch.setattr("compare_gan.labels.network.PretextTask", None)
        status, said = run(*train)
    assert status == 2 and "asks for hard labels inferred from self_supervised features" in said
    # Labels of the same kind but for other images: reported once they exist.
    status, said = run(*train, bindings=[raw, "dataset.seed = 1"])
    assert status == 2 and "dataset.seed: not set → 1" in said
    status, said = run(*train, "--allow_config_change", bindings=[raw, "dataset.seed = 1"])
    assert status == 2 and said.count("hash") == 2
    shutil.rmtree(tmp_path / "run" / "labels")
    assert (tmp_path / "run" / "config.gin").read_text() == config
    (tmp_path / "run" / "training_labels.json").unlink()
    status, said = run(*train, bindings=["infer_labels.features = 'untrained'"])
    assert status == 0 and "step 6/6" in said


def test_clusters_are_conditions_but_not_classes(run, tmp_path, eagerly):
    bindings = (
        "infer_labels.method = 'clustering'",
        "infer_labels.features = 'raw'",
        "infer_labels.num_clusters = 3",
        "options.training_steps = 2",
        "dataset.labeled_fraction = 1.0",
    )
    status, said = run(
        "train", "--model_dir", "run", "--num_eval_averaging_runs", "1", bindings=bindings
    )
    assert status == 0, said
    assert "class_agreement_fashion_cnn is left out: the classes of 'fashion_cnn' are not" in said
    model = json.loads((tmp_path / "run" / "model.json").read_text())
    assert (model["num_classes"], model["class_names"]) == (3, None)
    status, said = run("sample", "--model_dir", "run", "--class", "3")
    assert status == 2


@pytest.mark.parametrize(
    ("bindings", "sentence"),
    (
        (["dataset.labeled_fraction = 1.0"], "are labelled, so there is nothing to infer"),
        (
            ["infer_labels.method = 'clustering'", "infer_labels.num_clusters = 41"],
            "infer_labels.num_clusters is 41, but",
        ),
    ),
)
def test_labels_that_cannot_be_inferred_are_reported_before_the_gan_is_built(
    run, monkeypatch, bindings, sentence
):
    def forbidden(*args):
        raise AssertionError("The GAN was built.")

    monkeypatch.setattr("compare_gan.training.experiment.Experiment.make_gan", forbidden)
    status, said = run("train", "--model_dir", "run", bindings=bindings)
    assert status == 2 and sentence in said


def test_label_needs_a_folder(run):
    status, said = run("label")
    assert status == 2 and "--label_dir is needed" in said
