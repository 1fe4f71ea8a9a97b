"""Manifests: today's names, and those that an earlier version of this library wrote."""

import json
import pathlib
import shutil

import gin
import numpy as np
import pytest

from compare_gan.datasets.label_files import images_hash
from compare_gan.errors import UserError
from compare_gan.evaluation.results import ResultRow
from compare_gan.labels import LabelOptions
from compare_gan.labels.files import read_manifest
from compare_gan.labels.inputs import InferenceInputs, digest_of_key
from compare_gan.labels.network import network_path
from compare_gan.training.run_dir import RunDir

_DATA = pathlib.Path(__file__).parent / "data"
_RAW = "infer_labels.features = 'raw'"
_CLUSTERS = ("infer_labels.method = 'clustering'", "infer_labels.num_clusters = 5", _RAW)


@pytest.fixture(name="old_labels")
def _old_labels(tmp_path, monkeypatch):
    """Copies the labels that the version of 2026-11 inferred for `make_dataset()` to `labels`."""

    def copy(name):
        def forbidden(*args):
            raise AssertionError("Labels were inferred again.")

        monkeypatch.setattr("compare_gan.labels.pipeline._infer_and_write", forbidden)
        return pathlib.Path(shutil.copytree(_DATA / f"version_1_{name}", tmp_path / "labels"))

    return copy


@pytest.mark.parametrize(
    ("name", "bindings", "quality"),
    [
        ("raw", [_RAW], {"hidden_accuracy": 1.0}),
        ("clusters", _CLUSTERS, {"cluster_purity": 1.0}),
    ],
)
def test_labels_of_version_1_are_accepted(infer, make_dataset, old_labels, name, bindings, quality):
    folder = old_labels(name)
    dataset = infer(make_dataset(), *bindings)
    with np.load(folder / "labels.npz") as arrays:
        np.testing.assert_array_equal(dataset.shown_labels, arrays["hard"])
    digest = json.loads((folder / "manifest.json").read_text())["files"]["labels.npz"]
    expected = {"version": 2, "soft": False, "features": "raw", "hash": digest, **quality}
    assert dataset.inferred.description.items() >= expected.items()


def test_a_manifest_of_version_1_has_today_s_names(infer, make_dataset, old_labels, tmp_path):
    old_labels("raw")
    old = read_manifest(str(tmp_path / "labels"))
    assert old["version"] == 1
    assert old["classifier"] == {
        "regularization_strength": pytest.approx(10**-4.5),
        "held_out_accuracy": None,
    }
    gin.clear_config()
    gin.parse_config(_RAW)
    key = InferenceInputs(make_dataset(), LabelOptions.from_gin()).key()
    assert old["key"] == key
    assert all(name.replace(".", "_").isidentifier() for name in key)


def test_other_data_are_refused_in_version_1_too(infer, make_dataset, old_labels):
    old_labels("raw")
    with pytest.raises(UserError, match="made for num_given_labels = 12, but here it is 24:"):
        infer(make_dataset(fraction=2), _RAW)


def test_names_in_a_manifest_are_identifiers(infer, make_dataset, tmp_path):
    infer(make_dataset(), _RAW)
    manifest = json.loads((tmp_path / "labels/manifest.json").read_text())
    assert manifest["version"] == 2
    entries = [manifest, *(manifest[name] for name in ("classifier", "reported_only"))]
    assert all(name.isidentifier() for entry in entries for name in entry)
    assert all(name.replace(".", "_").isidentifier() for name in manifest["key"])


def test_a_manifest_of_a_newer_version_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text('{"version": 3, "key": {}, "files": {}}')
    with pytest.raises(UserError, match="has version 3, but this library reads versions up to 2"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize("name", ["some images (hash)", "images_hash"])
def test_label_files_find_the_images_hash_in_every_version(tmp_path, name):
    manifest = {"key": {name: "871ab6ff"}, "files": {"hard/train.tfrecord": "0"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert images_hash(str(tmp_path / "hard/train.tfrecord")) == "871ab6ff"


@pytest.mark.parametrize(
    ("bindings", "digest"),
    [
        ([], "55e2bbb4846b"),
        (["infer_labels.features = 'semi_supervised'"], "7b536b12c7f8"),
    ],
)
def test_networks_have_their_names_of_version_1(make_dataset, tiny, bindings, digest):
    """Recorded names of `backbone-<digest>.npz`: networks that have been trained are found."""
    gin.clear_config()
    gin.parse_config([*tiny, *bindings])
    inputs = InferenceInputs(make_dataset(), LabelOptions.from_gin())
    assert digest_of_key(inputs.backbone_key()) == digest
    assert network_path(inputs, "labels", "backbone") == f"labels/backbone-{digest}"


def test_the_recorded_key(make_dataset, tiny):
    gin.clear_config()
    gin.parse_config(tiny)
    assert InferenceInputs(make_dataset(train_crop="random"), LabelOptions.from_gin()).key() == {
        "computation_version": 3,
        "dataset.name": "thirds",
        "num_images": 48,
        "image_shape": "8x8x1",
        "image_names_hash": "bb727624caae2c61",
        "images_hash": "871ab6ff526e36d7",
        "train_imagenet_transform.crop_method": "random",
        "eval_imagenet_transform.crop_method": None,
        "num_classes": 3,
        "num_given_labels": 12,
        "given_labels_hash": "6914f82d906b5bf0",
        "infer_labels.method": "classifier",
        "infer_labels.seed": 0,
        "infer_labels.features": "self_supervised",
        "backbone.width": 4,
        "backbone.units": [1, 1],
        "backbone.bottleneck": False,
        "backbone.stem": "small",
        "pretext.training_steps": 6,
        "pretext.batch_size": 8,
        "pretext.learning_rate": 0.003,
        "pretext.weight_decay": 0.01,
        "pretext.max_shift": 2,
        "infer_labels.layer": "block2",
        "infer_labels.grid": 2,
        "infer_labels.hidden": None,
    }


def test_descriptions_of_version_1_are_read(tmp_path):
    """`training_labels.json` and result rows."""
    old = {
        "method": "classifier",
        "features": "raw",
        "soft": False,
        "labeled_fraction": 0.25,
        "accuracy on hidden labels": 0.9,
        "hash": "afd3",
    }
    today = {name: old[name] for name in ("method", "features", "soft", "labeled_fraction")}
    today |= {"version": 1, "hidden_accuracy": 0.9, "hash": "afd3"}
    (tmp_path / "training_labels.json").write_text(json.dumps(old))
    run = RunDir(tmp_path)
    assert run.training_labels() == today
    run.check_training_labels(today | {"version": 2})
    with pytest.raises(UserError, match=r"inferred from raw features \(classifier, hash afd3\)"):
        run.check_training_labels(today | {"version": 2, "hash": "0"})
    row = {"step": 1, "scores": {}, "protocol": {}, "training_labels": old}
    assert ResultRow.from_json(json.dumps(row)).training_labels == today
    new = today | {"version": 2}
    row["training_labels"] = new
    assert ResultRow.from_json(json.dumps(row)).training_labels == new
