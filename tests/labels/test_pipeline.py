import concurrent.futures
import errno
import hashlib
import json
import logging
import os
import threading

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import labels
from compare_gan.datasets import (
    ArraySource,
    Dataset,
    eval_batches,
    read_label_files,
    train_batches,
)
from compare_gan.datasets.relabelling import replace_labels
from compare_gan.errors import DivergenceError, UserError
from compare_gan.labels import LabelOptions
from compare_gan.labels.classifier import train_classifier
from compare_gan.labels.features import BackboneFeatures
from compare_gan.labels.files import write_arrays
from compare_gan.labels.inputs import InferenceInputs
from compare_gan.labels.network import network_path, restore_weights

_SHORT = "pretext.training_steps = 2"  # Where the network need not be a good one.
_SEMI = f"infer_labels.features = 'semi_supervised'\n{_SHORT}"
_RAW = "infer_labels.features = 'raw'"


def _batches(dataset, count=2):
    batches = train_batches(
        dataset, batch_size=8, disc_iters=1, z_dim=2, seed=1, fit_label_distribution=True
    )
    return list(batches.take(count).as_numpy_iterator())


def _manifest(tmp_path, folder="labels"):
    return json.loads((tmp_path / folder / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("features", "soft"), [("self_supervised", False), ("semi_supervised", True)]
)
def test_hidden_labels_cannot_leak(infer, make_dataset, arrays, tmp_path, features, soft, eagerly):
    """Whatever the hidden labels are, inferred labels and GAN batches are the same to the bit."""
    _, true = arrays
    hidden = ~make_dataset().given_mask
    permuted = true.copy()
    permuted[hidden] = np.random.default_rng(1).permutation(true[hidden])
    assert (permuted != true).sum() > 10
    bindings = [f"infer_labels.features = '{features}'", f"infer_labels.soft = {soft}", _SHORT]
    results = [
        infer(make_dataset(labels), *bindings, folder=folder)
        for labels, folder in ((true, "a"), (permuted, "b"))
    ]
    first, second = (result.shown_labels for result in results)
    assert first.dtype == (np.float32 if soft else np.int32)
    np.testing.assert_array_equal(first, second)
    for a, b in zip(*map(_batches, results), strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    with np.load(tmp_path / "a/labels.npz") as a, np.load(tmp_path / "b/labels.npz") as b:
        for name in ("hard", "soft", "given"):
            np.testing.assert_array_equal(a[name], b[name])
    # Only the reported quality differs.
    a, b = _manifest(tmp_path, "a"), _manifest(tmp_path, "b")
    assert a.pop("reported_only") != b.pop("reported_only")
    for manifest in (a, b):
        del manifest["seconds"]
    assert a == b


def test_given_labels_stay_and_hidden_ones_are_inferred(infer, make_dataset, arrays, caplog):
    _, true = arrays
    dataset = make_dataset()
    with caplog.at_level(logging.INFO):
        result = infer(dataset, _RAW)
    hard = result.shown_labels
    np.testing.assert_array_equal(hard[dataset.given_mask], true[dataset.given_mask])
    assert (hard == true).mean() > 0.9 and (hard >= 0).all()
    assert "12 labels given, 36 inferred: " in caplog.text
    soft = infer(dataset, _RAW, "infer_labels.soft = True").shown_labels
    np.testing.assert_array_equal(soft.argmax(1), hard)
    np.testing.assert_allclose(soft.sum(1), 1, atol=1e-6)
    assert (soft[dataset.given_mask].max(1) == 1).all() and soft[~dataset.given_mask].max(
        1
    ).min() < 1
    # Evaluation still sees the true labels.
    ((_, labels),) = eval_batches(result, "train", 48)
    ((_, shown),) = eval_batches(result, "train", 48, shown_only=True)
    assert sorted(labels) == sorted(true)
    np.testing.assert_array_equal(np.bincount(shown), np.bincount(hard))
    assert (result.num_classes, result.class_names) == (3, None)


def test_the_manifest(infer, make_dataset, arrays, tmp_path):
    _, true = arrays
    dataset = make_dataset()
    hard = infer(dataset, _RAW).shown_labels
    manifest = _manifest(tmp_path)
    hidden = ~dataset.given_mask
    accuracy = np.mean((hard == true)[hidden])
    assert manifest["reported_only"] == {"hidden_accuracy": pytest.approx(accuracy)}
    assert manifest["given_examples"] == np.flatnonzero(dataset.given_mask).tolist()
    assert (manifest["labeled_fraction"], manifest["num_images"]) == (0.25, 48)
    assert sum(manifest["confidence_of_inferred_labels"]["images"]) == 36
    assert "infer_labels.features = 'raw'" in manifest["config"]
    assert manifest["key"]["infer_labels.seed"] == 0
    assert set(manifest["files"]) == {"hard/train.tfrecord", "soft/train.tfrecord", "labels.npz"}


def test_two_runs_that_share_a_folder_infer_once(infer, make_dataset, monkeypatch, tmp_path):
    gin.clear_config()
    gin.parse_config(_RAW)
    options = LabelOptions.from_gin()
    began, go_on, calls = threading.Event(), threading.Event(), []

    def slow(*args, **kwargs):
        calls.append(1)
        began.set()
        assert go_on.wait(60)
        return train_classifier(*args, **kwargs)

    def waiting(message, *args):
        if (message % args).startswith("Waiting"):
            go_on.set()  # The second run waits while the first one works.

    monkeypatch.setattr("compare_gan.labels.pipeline.train_classifier", slow)
    monkeypatch.setattr("compare_gan.locks._log.info", waiting)
    folder = str(tmp_path / "shared")
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(labels.infer, make_dataset(), folder, options)
        assert began.wait(60)
        second = pool.submit(labels.infer, make_dataset(), folder, options)
        results = [run.result().shown_labels for run in (first, second)]
    assert len(calls) == 1
    np.testing.assert_array_equal(*results)


def test_the_manifest_has_the_hashes_of_the_files(infer, make_dataset, tmp_path):
    infer(make_dataset(), _RAW)
    for name, digest in _manifest(tmp_path)["files"].items():
        content = (tmp_path / "labels" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


def test_the_files_serve_replace_labels(infer, make_dataset, tmp_path):
    dataset = make_dataset()
    hard = infer(dataset, _RAW).shown_labels
    for kind in ("hard", "soft"):
        pattern = f"{tmp_path}/labels/{kind}/{{split}}.tfrecord"
        replaced = replace_labels(dataset.source, "thirds", file_pattern=pattern)
        labels = replaced.labels("train")
        np.testing.assert_array_equal(labels if kind == "hard" else labels.argmax(1), hard)
    keys, _ = read_label_files([f"{tmp_path}/labels/hard/train.tfrecord"])
    assert keys == dataset.source.keys("train")


def test_label_files_of_other_images_are_refused(infer, make_dataset, arrays, tmp_path):
    """Equal counts, and indices for names: the data sets differ only in their images."""
    images, true = arrays
    infer(make_dataset(), _RAW)
    pattern = f"{tmp_path}/labels/hard/{{split}}.tfrecord"
    other = ArraySource.from_arrays({"train": (images[::-1], true)}, num_classes=3)
    with pytest.raises(UserError, match="were inferred for other images than those of 'other'"):
        replace_labels(other, "other", file_pattern=pattern)
    replace_labels(other, "noise", in_turn=True, file_pattern=pattern)


def test_soft_labels_that_do_not_sum_to_one_are_refused(infer, make_dataset, tmp_path):
    bindings = (_RAW, "infer_labels.soft = True")
    infer(make_dataset(), *bindings)
    path, manifest = tmp_path / "labels/labels.npz", _manifest(tmp_path)
    arrays = dict(np.load(path))
    arrays["soft"][7] *= 0.9
    manifest["files"]["labels.npz"] = write_arrays(str(path), arrays)
    (tmp_path / "labels/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=r"must sum to one .*; those of 1 do not, .* to 0\.9\."):
        infer(make_dataset(), *bindings)


@pytest.mark.parametrize("kind", ["in memory", "stream"])
def test_every_pipeline_has_fixed_threads(
    infer, make_dataset, make_stream, monkeypatch, kind, eagerly
):
    """Otherwise each stage waits at its end for TensorFlow's autotuning, up to a minute."""
    original, iterated = tf.data.Dataset.__iter__, []

    def iterate(dataset):
        iterated.append(dataset.options().autotune.enabled)
        return original(dataset)

    dataset = make_dataset(source=make_stream() if kind == "stream" else None)
    monkeypatch.setattr(tf.data.Dataset, "__iter__", iterate)
    dataset = infer(dataset, _SEMI)
    assert (dataset.shown_labels >= 0).all()
    next(iter(train_batches(dataset, batch_size=8, disc_iters=1, z_dim=2, seed=1)))
    next(iter(eval_batches(dataset, "train", 8)))
    dataset.source.labels("train")
    # Images in memory are read without a pipeline, except for training.
    assert len(iterated) >= (2 if kind == "in memory" else 6) and set(iterated) == {False}


def test_nothing_is_done_twice(infer, make_dataset, tmp_path, monkeypatch, caplog, eagerly):
    dataset = make_dataset()
    first = infer(dataset, _SEMI).shown_labels
    made = sorted(os.listdir(tmp_path / "labels"))
    assert [name.split("-")[0] for name in made] == [
        "backbone", "backbone", "hard", "labels.npz", "lock", "manifest.json", "soft",
    ]  # fmt: skip
    assert made[0].endswith(".lock") and made[1].endswith(".npz")

    def forbidden(*args, **kwargs):
        raise AssertionError("This has been done before.")

    with monkeypatch.context() as patch:
        patch.setattr("compare_gan.labels.network.PretextTask", forbidden)
        # The network exists: only the classifier is trained again, also without file locks.
        os.remove(tmp_path / "labels" / "manifest.json")
        patch.setattr("compare_gan.locks.fcntl.flock", _no_locks)
        np.testing.assert_array_equal(infer(dataset, _SEMI).shown_labels, first)
        patch.setattr("compare_gan.labels.pipeline.train_classifier", forbidden)
        np.testing.assert_array_equal(infer(dataset, _SEMI).shown_labels, first)
    # A damaged network is trained anew, with the same result.
    os.remove(tmp_path / "labels" / "manifest.json")
    path = tmp_path / "labels" / made[1]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(infer(dataset, _SEMI).shown_labels, first)
    assert f"'{path}' is damaged" in caplog.text


def test_each_image_passes_through_the_trained_network_once(
    infer, make_dataset, monkeypatch, eagerly
):
    seen = []
    compute = BackboneFeatures.__call__

    def noted(features, images):
        seen.extend(image.tobytes() for image in images)
        return compute(features, images)

    monkeypatch.setattr(BackboneFeatures, "__call__", noted)
    dataset = make_dataset()
    infer(dataset, _SHORT)
    assert len(seen) == len(set(seen)) == dataset.num_train


def _no_locks(*args):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))


def test_labels_of_two_fractions_share_a_network(
    infer, make_dataset, tmp_path, monkeypatch, eagerly
):
    shared = f"infer_labels.backbone_dir = '{tmp_path / 'networks'}'\n{_SHORT}"
    infer(make_dataset(fraction=2), shared, folder="many")
    [network] = (tmp_path / "networks").glob("*.npz")
    assert not list((tmp_path / "many").glob("*backbone*"))
    monkeypatch.setattr("compare_gan.labels.network.PretextTask", None)
    few = infer(make_dataset(fraction=4), shared, folder="few")
    assert few.inferred.description["labeled_fraction"] == 0.25
    assert [network] == list((tmp_path / "networks").glob("*.npz"))


def test_the_network_does_not_learn_held_out_labels(infer, tmp_path):
    """Random labels of noise can be memorized, but held-out ones are right only by chance."""
    rng = np.random.default_rng(3)
    images, true = rng.integers(0, 256, [120, 8, 8, 1], np.uint8), rng.integers(3, size=120)
    source = ArraySource.from_arrays({"train": (images, true)}, num_classes=3)
    dataset = Dataset("noise", source, given_mask=np.arange(120) < 112)
    infer(
        dataset,
        _SEMI,
        "infer_labels.layer = 'pooled'",
        "backbone.width = 16",
        "pretext.training_steps = 60",
        "pretext.save_checkpoints_steps = 60",
        "pretext.learning_rate = 0.01",
        "pretext.labeled_batch_size = 32",
        "pretext.weight_class_loss = 4.0",
        "pretext.max_shift = 0",
    )
    classifier = _manifest(tmp_path)["classifier"]
    # A third of 21 images, plus 4 standard deviations. A network that has seen them reaches 1.
    assert classifier["held_out_accuracy"] < 1 / 3 + 4 * 0.1


def test_features_that_are_not_finite_raise_a_divergence_error(infer, make_dataset, arrays):
    images, true = arrays
    images = images.astype(np.float32) / 255
    images[5, 0, 0, 0] = np.nan
    source = ArraySource.from_arrays({"train": (images, true)}, num_classes=3)
    with pytest.raises(DivergenceError, match="features that labels are inferred from are not"):
        infer(make_dataset(source=source), _RAW)


@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"x" * 9])
def test_damaged_weights(tmp_path, caplog, change):
    weights = keras.Sequential([keras.Input((3,)), keras.layers.Dense(40)])
    path = str(tmp_path / "weights.npz")
    write_arrays(path, {str(i): v.numpy() + 1 for i, v in enumerate(weights.variables)})
    expected = [w + 1 for w in weights.get_weights()]
    assert restore_weights(weights, path)
    np.testing.assert_array_equal(weights.get_weights()[0], expected[0])
    (tmp_path / "weights.npz").write_bytes(change((tmp_path / "weights.npz").read_bytes()))
    assert not restore_weights(weights, path)
    assert "is damaged" in caplog.text


def test_a_network_of_other_images_is_not_used(make_dataset, arrays):
    gin.clear_config()
    images, true = arrays
    paths = set()
    for each in (images, images.copy(), images[::-1]):
        source = ArraySource.from_arrays({"train": (each, true)}, num_classes=3)
        inputs = InferenceInputs(make_dataset(source=source), LabelOptions.from_gin())
        paths.add(network_path(inputs, "labels", "backbone"))
    assert len(paths) == 2


def test_a_stream_gets_the_labels_of_the_same_images_in_memory(
    infer, make_dataset, make_stream, eagerly
):
    # Untrained: in training the stream has another order
    # (`test_every_pipeline_has_fixed_threads` trains on it).
    bindings = ("infer_labels.features = 'untrained'", "infer_labels.soft = True")
    datasets = make_dataset(), make_dataset(source=make_stream())
    results = [infer(d, *bindings, folder=f"{i}").shown_labels for i, d in enumerate(datasets)]
    # The same features, computed in other batches.
    np.testing.assert_allclose(*results, atol=1e-4)


def test_clusters(infer, make_dataset, arrays, tmp_path, caplog):
    images, _ = arrays
    unlabelled = Dataset("unlabelled", ArraySource.from_arrays({"train": (images, None)}))
    bindings = ("infer_labels.method = 'clustering'", "infer_labels.num_clusters = 5", _RAW)
    with caplog.at_level(logging.INFO):
        results = [infer(make_dataset(), *bindings), infer(unlabelled, *bindings, folder="b")]
    for result in results:
        assert (result.num_classes, result.class_names) == (5, None)
        assert set(result.shown_labels) == set(range(5))
    # No label is used.
    np.testing.assert_array_equal(results[0].shown_labels, results[1].shown_labels)
    (batch,) = _batches(results[1], 1)
    assert batch["labels"].shape == batch["fake_labels"].shape == (2, 8, 5)
    assert not (tmp_path / "labels" / "soft").exists()
    assert "5 clusters; " in caplog.text


def test_pending_labels_are_not_replaced_by_given_ones(make_dataset):
    dataset = labels.with_pending_labels(make_dataset(), LabelOptions.from_gin())
    with pytest.raises(UserError, match="has not been given its inferred labels"):
        _batches(dataset)


def test_several_hosts_are_refused(make_dataset, tmp_path):
    strategy = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
    with pytest.raises(UserError, match="run `compare_gan label --gin_config … --label_dir "):
        labels.infer(make_dataset(), str(tmp_path), LabelOptions.from_gin(), strategy=strategy)


class TestMistakes:
    @pytest.fixture(autouse=True)
    def _made(self, infer, make_dataset, tmp_path):
        infer(make_dataset(), _RAW)
        self.path = tmp_path / "labels"

    def _message(self, infer, dataset, *bindings):
        with pytest.raises(UserError) as error:
            infer(dataset, *bindings)
        return str(error.value)

    def test_count(self, infer, make_dataset, arrays):
        source = ArraySource.from_arrays({"train": tuple(a[:36] for a in arrays)}, num_classes=3)
        dataset = Dataset("thirds", source, given_mask=make_dataset().given_mask[:36])
        assert self._message(infer, dataset, _RAW) == (
            f"The labels in '{self.path}' were made for num_images = 48, but here it is 36: "
            "name another folder (infer_labels.label_dir) or delete this one."
        )

    def test_classes(self, infer, make_dataset, arrays):
        source = ArraySource.from_arrays({"train": arrays}, num_classes=4)
        dataset = Dataset("thirds", source, given_mask=make_dataset().given_mask)
        assert "made for num_classes = 3, but here it is 4:" in self._message(infer, dataset, _RAW)

    def test_other_given_labels(self, infer, make_dataset):
        message = self._message(infer, make_dataset(fraction=2), _RAW)
        assert "made for num_given_labels = 12, but here it is 24:" in message

    def test_other_config(self, infer, make_dataset):
        message = self._message(infer, make_dataset(), _RAW, "infer_labels.hidden = 4")
        assert "made for infer_labels.hidden = None, but here it is 4:" in message

    def test_other_names(self, infer, make_dataset, arrays):
        source = ArraySource.from_arrays({"train": arrays}, num_classes=3)
        object.__setattr__(source, "example_keys", lambda split: [f"n{i}" for i in range(48)])
        assert "made for image_names_hash = " in self._message(
            infer, make_dataset(source=source), _RAW
        )

    def test_other_images(self, infer, make_dataset, arrays):
        images, true = arrays
        images = images.copy()
        images[7, 0, 0, 0] ^= 1  # One pixel of one image.
        source = ArraySource.from_arrays({"train": (images, true)}, num_classes=3)
        message = self._message(infer, make_dataset(source=source), _RAW)
        assert "made for images_hash = " in message

    def test_other_crops(self, infer, make_dataset):
        message = self._message(infer, make_dataset(train_crop="random"), _RAW)
        assert (
            "made for train_imagenet_transform.crop_method = None, but here it is 'random':"
            in message
        )

    def test_names_are_read_once(self, infer, make_dataset, tmp_path):
        calls = []

        def names(split):
            calls.append(split)
            return [f"n{i}" for i in range(48)]

        dataset = make_dataset()
        object.__setattr__(dataset.source, "example_keys", names)
        infer(dataset, _RAW, folder="named")
        assert calls == ["train"]

    def test_hash(self, infer, make_dataset):
        arrays = dict(np.load(self.path / "labels.npz"))
        arrays["hard"] = arrays["hard"][::-1]
        np.savez(self.path / "labels.npz", **arrays)
        assert self._message(infer, make_dataset(), _RAW) == (
            f"'{self.path}/labels.npz' is missing or not the file whose hash is in manifest.json: "
            "delete the folder to infer the labels again."
        )

    def test_no_manifest(self, infer, make_dataset):
        (self.path / "manifest.json").write_text('{"name": "of something else"}')
        assert "is not a manifest of inferred labels" in self._message(infer, make_dataset(), _RAW)


def test_a_class_without_labels(infer, make_dataset):
    dataset = make_dataset()
    dataset.given_mask[2::3] = False
    with pytest.raises(UserError, match="No image of the class '2' of 'thirds' is labelled"):
        infer(dataset, _RAW)


def test_nothing_to_infer(infer, make_dataset):
    with pytest.raises(UserError, match="All images of 'thirds' are labelled"):
        infer(make_dataset(fraction=1), _RAW)
