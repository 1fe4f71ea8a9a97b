"""Images and classes in users' data, and their names.

The docstring of a test is a row of the table in docs/faults.md.
"""

import dataclasses
import json
import logging
import os
import shutil
import zipfile

import gin
import keras
import numpy as np
import pytest
from PIL import Image

from compare_gan import config
from compare_gan.datasets import (
    DataOptions,
    ReplaceLabelsOptions,
    eval_batches,
    get_dataset,
    sources,
    write_label_file,
)
from compare_gan.datasets.inspection import inspect_images
from compare_gan.errors import UserError
from compare_gan.evaluation.checks import common_classes
from compare_gan.evaluation.image_sets import open_images
from compare_gan.sampling import Sampler, class_labels, find_class, write_images
from compare_gan.training import RunDir
from compare_gan.training.model_file import ModelFile

_SIZE = 8


def _save(path, level=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full([_SIZE, _SIZE, 3], level, np.uint8)).save(path)


def _folder(root, names, count=2):
    """A folder for each class, of images whose gray level is the place of the class in `names`."""
    for i, name in enumerate(names):
        for j in range(count):
            _save(root / name / f"{j}.png", i)
    return str(root)


def _train_on(folder, **options):
    return get_dataset(name="image_folder", data_dir=str(folder), **options)


def _perfect_sampler(dataset, levels):
    """A generator of the images of a data set: the level of each class by its name."""
    level = np.array([levels.index(name) for name in dataset.class_names], np.float32)

    def network(inputs, training):
        of_class = keras.ops.sum(inputs[1] * level / 255, axis=1)
        return keras.ops.tile(of_class[:, None, None, None], (1, _SIZE, _SIZE, 3))

    return Sampler(
        network,
        2,
        (_SIZE, _SIZE, 3),
        num_classes=dataset.num_classes,
        class_names=dataset.class_names,
    )


_CLASSES = {
    "numeric": [str(i) for i in range(11)],
    "gapped": ["3", "20", "100", "1"],
    "1-based": [str(i) for i in range(1, 13)],
    "text": ["T-shirt, top", "犬", "class 10", "class 9"],
    "not UTF-8": ["caf\udce9", "dog"],
}


@pytest.mark.parametrize("ending", ("", ".npz"))
@pytest.mark.parametrize("kind", _CLASSES)
def test_classes_survive_the_way_from_sample_to_metrics(tmp_path, kind, ending):
    """Fault: folders `0` … `10` are sorted as text, and an index in a file name is read as a name.

    Command: train, sample --num, metrics
    User sees: intra-FID of perfect images is 0
    Exit code: 0
    Lost: nothing
    """
    names = _CLASSES[kind]
    real_path = _folder(tmp_path / "real", names)
    dataset = _train_on(real_path)
    sampler = _perfect_sampler(dataset, names)
    path = write_images(sampler, str(tmp_path / f"fake{ending}"), 3 * len(names))
    real, fake = open_images(real_path), open_images(path)
    class_names, numbers = common_classes(real, fake)
    assert class_names == real.class_names == fake.class_names == dataset.class_names
    for batch in fake.batches(100):
        assert len(batch.images) == 3 * len(names)
        labels = batch.labels if numbers is None else numbers[batch.labels]
        levels = [names.index(class_names[label]) for label in labels]
        assert (batch.images == np.array(levels)[:, None, None, None]).all()


def test_sampled_images_can_be_trained_on(tmp_path):
    names = _CLASSES["gapped"]
    dataset = _train_on(_folder(tmp_path / "real", names))
    path = write_images(_perfect_sampler(dataset, names), str(tmp_path / "fake"), 8)
    again = _train_on(path)
    assert again.class_names == dataset.class_names == ("1", "3", "20", "100")
    assert again.given_labels.tolist() == [0, 1, 2, 3] * 2


def test_rare_classes_are_left_out_by_option(tmp_path, caplog):
    """Fault: a class has one image, the folder of another none.

    Command: train with image_folder.min_images = 2
    User sees: …; left out: 2 classes with fewer than 2 images (owl: 1, empty: 0).
    Exit code: 0
    Lost: nothing
    """
    caplog.set_level("INFO", "compare_gan")
    folder = _folder(tmp_path / "pets", ["dog", "cat"])
    _save(tmp_path / "pets" / "owl" / "0.png")
    (tmp_path / "pets" / "empty").mkdir()
    with pytest.raises(
        UserError, match=r"class 'empty' has no images.*image_folder\.min_images = 1"
    ):
        _train_on(folder)
    dataset = _train_on(folder, min_images=2)
    assert dataset.class_names == ("cat", "dog") and dataset.num_train == 4
    assert "left out: 2 classes with fewer than 2 images (owl: 1, empty: 0)." in caplog.text


def test_a_misspelt_class_to_train_on_is_refused(tmp_path):
    """Fault: `image_folder.classes` names a class that is not there.

    Command: train, with image_folder.classes = ["dgo", "cat"]
    User sees: 'photos' has no class 'dgo'. Did you mean 'dog'? Known: cat, dog.
    Exit code: 2
    Lost: nothing
    """
    folder = _folder(tmp_path / "photos", ["dog", "cat"])
    with pytest.raises(UserError, match=r"no class 'dgo'\. Did you mean 'dog'\? Known: cat, dog\."):
        _train_on(folder, classes=["dgo", "cat"])


def test_a_class_that_is_a_number_is_named_by_it():
    """Fault: the classes are called 1, 3 and 7, and the user asks for class 2.

    Command: sample --class 2
    User sees: Unknown class '2'. Known are: 1, 3, 7.
    Exit code: 2
    Lost: nothing
    """
    sampler = Sampler(None, 2, (8, 8, 1), num_classes=3, class_names=("1", "3", "7"))
    assert [find_class(sampler, name) for name in ("1", "3", "7", 2)] == [0, 1, 2, 2]
    with pytest.raises(UserError, match="Unknown class '2'"):
        find_class(sampler, "2")
    named = Sampler(None, 2, (8, 8, 1), num_classes=3, class_names=("a", "b", "c"))
    assert find_class(named, "2") == 2


def test_numbers_among_names_stay_numbers():
    """Fault: classes are called 1, 3 and 7, and a script asks for them by number and by name.

    Command: Sampler.sample(2, labels=[1, "3"])
    User sees: the second class twice
    Exit code: none
    Lost: nothing
    """
    sampler = Sampler(None, 2, (8, 8, 1), num_classes=3, class_names=("1", "3", "7"))
    assert class_labels(sampler, [1, "3", np.int64(2)], 3).tolist() == [1, 1, 2]
    assert class_labels(sampler, np.array(["7", "1"]), 2).tolist() == [2, 0]
    assert class_labels(sampler, np.int32(2), 1).tolist() == [2]
    assert find_class(sampler, np.int64(2)) == 2
    with pytest.raises(UserError, match="must be numbers or names of classes, received True"):
        class_labels(sampler, ["3", np.True_], 2)


def test_a_run_goes_on_with_the_order_of_classes_that_it_began_with(tmp_path, make_trainer):
    """Fault: a run was begun by a version that sorted folders as text, and is resumed.

    Command: train (resumed), eval
    User sees: nothing; the run keeps its order
    Exit code: 0
    Lost: nothing
    """
    names = _CLASSES["numeric"]
    folder = _folder(tmp_path / "real", names)
    assert list(_train_on(folder).class_names) == names
    old = sorted(names)
    values = dict(version=1, dataset="image_folder", image_shape=[_SIZE, _SIZE, 3])
    values |= dict(num_classes=11, class_names=old)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.json").write_text(json.dumps(values))
    trainer = make_trainer(
        tmp_path / "run", "dataset.name = 'image_folder'", f"dataset.data_dir = '{folder}'"
    )
    dataset = trainer.experiment.dataset
    assert list(dataset.class_names) == old
    [(images, labels)] = dataset.source.evaluation("train", 22, 22, None)
    assert [old[label] for label in labels] == [names[level] for level in images[:, 0, 0, 0]]
    # As before, images are in the order of their classes.
    assert dataset.source.keys("train")[:6:2] == ["0/0.png", "1/0.png", "10/0.png"]


def _run_on(tmp_path, dataset):
    """The directory of a run that has a checkpoint."""
    run = RunDir(tmp_path / "run")
    run.write_description(dataset, "")
    folder = tmp_path / "run" / "checkpoints" / "step-3"
    folder.mkdir(parents=True)
    (folder / "index.json").write_text("{}")
    assert run.list_checkpoints()
    return run


def test_the_order_of_classes_that_is_lost_is_not_guessed(tmp_path, tiny_run, caplog):
    """Fault: `model.json` of a run on folders `0` … `10` is missing or damaged.

    Command: train (resumed)
    User sees: The order of classes in the run in '…' is not known, because its model.json is
        missing or damaged: it may be 0, 1, 10, …, as in earlier versions, or 0, 1, 2, …: …
    Exit code: 2
    Lost: nothing; `--allow_config_change` continues with the order of numbers.
    """
    dataset = _train_on(_folder(tmp_path / "numbers", _CLASSES["numeric"]))
    run = _run_on(tmp_path, dataset)
    run.refuse_other_data(dataset)
    for content in (None, "{"):
        (tmp_path / "run" / "model.json").unlink(missing_ok=True)
        if content:
            (tmp_path / "run" / "model.json").write_text(content)
        with pytest.raises(UserError, match=r"not known.* be 0, 1, 10, …, as in .* or 0, 1, 2, …:"):
            run.refuse_other_data(dataset)
        run.refuse_other_data(dataset, allow_config_change=True)
    # Nothing to confuse: an order that is one in any version, and a run without checkpoints.
    run.refuse_other_data(_train_on(_folder(tmp_path / "names", ["a", "b"])))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    run.refuse_other_data(dataset)
    config.parse(
        [],
        [
            *tiny_run,
            "dataset.name = 'image_folder'",
            f"dataset.data_dir = '{tmp_path / 'numbers'}'",
        ],
    )
    ModelFile(str(tmp_path / "run" / "model.json")).read()
    assert "to be 0, 1, 2, … in this order; in a run that an earlier version" in caplog.text


@pytest.mark.parametrize("fraction", (1.0, 0.5))
def test_a_run_does_not_go_on_with_other_images(tmp_path, fraction):
    """Fault: images were added to the folder of a run, or an update of this library finds more.

    Command: train (resumed)
    User sees: The run in '…' was trained with other data (num_train: 4 → 6; background: None →
        'white'): choose another --model_dir, or add --allow_config_change to continue with the …
    Exit code: 2
    Lost: nothing
    """
    folder = tmp_path / "photos"
    _folder(folder, "ab", 4)
    before = _train_on(folder, fraction=fraction)
    run = _run_on(tmp_path, before)
    Image.new("RGBA", (_SIZE, _SIZE)).save(folder / "a" / "nested.webp", lossless=True)
    for i in range(3):
        _save(folder / "b" / f"new{i}.png")
    now = _train_on(folder, fraction=fraction)
    with pytest.raises(UserError) as caught:
        run.refuse_other_data(now)
    old, new = (8, 12) if fraction == 1 else (4, now.num_train)
    assert f"(num_train: {old} → {new}; background: None → 'white')" in str(caught.value)
    run.refuse_other_data(now, allow_config_change=True)
    # A run that was begun before these were recorded goes on.
    path = tmp_path / "run" / "model.json"
    values = json.loads(path.read_text())
    assert values.pop("num_train") == old and values.pop("background") is None
    path.write_text(json.dumps(values))
    run.refuse_other_data(now)
    run.write_description(now, "")
    assert json.loads(path.read_text())["num_train"] == new
    with pytest.raises(UserError, match=f"num_train: {new} → {old}"):
        run.refuse_other_data(before)


def test_label_files_in_the_former_order_of_classes_are_refused(tmp_path):
    """Fault: label files count classes `0` … `10` as text, as an earlier version did.

    Command: train with replace_labels.file_pattern
    User sees: The labels in '…' count the classes in the order of an earlier version, as text
        (0, 1, 10, …), but the order is 0, 1, 2, … now: infer or write the labels again.
    Exit code: 2
    Lost: nothing
    """
    names = _CLASSES["numeric"]
    folder = _folder(tmp_path / "real", names)
    source = _train_on(folder).source
    keys, former = source.keys("train"), sorted(names)
    now = np.array([names.index(key.split("/")[0]) for key in keys])
    before = np.array([former.index(key.split("/")[0]) for key in keys])
    before[:5] = 3  # Not all inferred labels are right.
    for name, labels in (("now", now), ("before", before)):
        write_label_file(str(tmp_path / name), keys, labels)
    files = {name: ReplaceLabelsOptions(str(tmp_path / name)) for name in ("now", "before")}
    assert _train_on(folder, replace_labels=files["now"]).given_labels.tolist() == now.tolist()
    with pytest.raises(UserError, match=r"in the order of an earlier version, as text \(0, 1, 10"):
        _train_on(folder, replace_labels=files["before"])
    data = dataclasses.replace(
        DataOptions.from_gin(name="image_folder", data_dir=folder, replace_labels=files["before"]),
        class_order=tuple(former),
    )
    assert get_dataset(data).class_names == tuple(former)  # A run that began with that order.


def test_names_of_files_are_no_labels(tmp_path):
    """Fault: images in folders of classes are called `000001_2.png` or `20210101_120000.png`.

    Command: metrics, train
    User sees: the folders are the classes; files without folders have none
    Exit code: 0
    Lost: nothing
    """
    for i, name in enumerate(("000001_2.png", "20210101_120000.png")):
        _save(tmp_path / "folders" / "ab"[i] / name)
    _save(tmp_path / "flat" / "20210101_120000.png")
    _save(tmp_path / "huge" / "000001_16500000000000000000.png")
    assert open_images(tmp_path / "folders").class_names == ("a", "b")
    assert _train_on(tmp_path / "folders").class_names == ("a", "b")
    for name in ("flat", "huge"):
        opened = open_images(tmp_path / name)
        assert not opened.has_labels and opened.count == 1
        assert _train_on(tmp_path / name).num_classes is None


def test_a_set_of_an_older_version_is_read_by_option(tmp_path, caplog):
    """Fault: files `000001_2.png` that a version without classes.json wrote.

    Command: metrics, train
    User sees: The names of the images are not taken for classes, because no classes.json there says
        that they are; image_folder.class_in_name = True reads sets of older versions.
    Exit code: 0
    Lost: nothing
    """
    for i in range(4):
        _save(tmp_path / f"{i:06}_{i % 3}.png")
    with caplog.at_level(logging.INFO, "compare_gan"):
        assert not open_images(tmp_path).has_labels
    assert "image_folder.class_in_name = True" in caplog.text
    assert _train_on(tmp_path).num_classes is None
    assert _train_on(tmp_path, class_in_name=True).given_labels.tolist() == [0, 1, 2, 0]
    gin.bind_parameter("image_folder.class_in_name", True)
    [batch] = open_images(tmp_path).batches(4)
    assert batch.labels.tolist() == [0, 1, 2, 0]


def test_hidden_and_foreign_folders_are_no_classes(tmp_path, caplog):
    """Fault: `.thumbnails`, `__MACOSX`, `@eaDir`, `Thumbs.db` and the like lie among the classes.

    Command: train, metrics
    User sees: '…': 4 images, 2 classes (a: 2, b: 2); left out: 4 hidden, 1 other file (.db).
    Exit code: 0
    Lost: nothing
    """
    _folder(tmp_path, "ab")
    for name in (".thumbnails/0.png", "__MACOSX/a/0.png", "@eaDir/0.png", "a/._0.png"):
        _save(tmp_path / name)
    (tmp_path / "Thumbs.db").touch()
    with caplog.at_level(logging.INFO, "compare_gan"):
        dataset, opened = _train_on(tmp_path), open_images(tmp_path)
    assert dataset.class_names == opened.class_names == ("a", "b")
    assert dataset.num_train == opened.count == 4
    line = "4 images, 2 classes (a: 2, b: 2); left out: 4 hidden, 1 other file (.db)."
    assert caplog.text.count(line) == 2


@pytest.mark.parametrize("names", ("Train Test", "train valid", "TRAINING Val"))
def test_splits_are_found_whatever_their_case(tmp_path, names):
    """Fault: the splits are called `Train` and `Test`, or `valid`, or lie beside a hidden folder.

    Command: train, metrics
    User sees: in `train` they are the splits; `metrics` asks which: `'photos' holds the images of
        several splits: choose 'photos:train' (4), 'photos:test' (2), or 'photos:all'.`
    Exit code: 0; 2
    Lost: nothing
    """
    first, second = names.split()
    _folder(tmp_path / first, "ab")
    _folder(tmp_path / second, "a")
    _save(tmp_path / ".cache" / "0.png")
    dataset = _train_on(tmp_path)
    assert dataset.num_train == 4 and dataset.splits[dataset.eval_split] == 2
    assert dataset.eval_split in ("test", "val") and dataset.class_names == ("a", "b")
    with pytest.raises(UserError, match=r"several splits: choose '.*:train' \(4\), .*:all'"):
        open_images(tmp_path)
    for split, count in (("train", 4), (dataset.eval_split, 2), ("all", 6)):
        opened = open_images(f"{tmp_path}:{split}")
        assert (opened.count, opened.class_names) == (count, ("a", "b"))
        assert opened.name == f"{tmp_path}:{split}"
    with pytest.raises(UserError, match=r"Unknown split of .*'trian'. Did you mean 'train'"):
        open_images(f"{tmp_path}:trian")


def test_what_may_mean_two_things_is_refused(tmp_path):
    """Fault: `train/`, `test/` and another folder; `train` and `Train`; splits inside of classes.

    Command: train, metrics
    User sees: '…' holds folders of splits ('test', 'train') beside 'extra': it is not clear which
        folders are classes. Move either into a folder of its own.
    Exit code: 2
    Lost: nothing
    """
    for name in ("a/train/a/0.png", "a/test/a/0.png", "a/extra/0.png"):
        _save(tmp_path / name)
    _save(tmp_path / "b" / "x" / "train" / "0.png")
    _save(tmp_path / "b" / "x" / "test" / "0.png")
    _save(tmp_path / "b" / "y" / "train" / "0.png")
    for name, match in (("a", "beside 'extra'"), ("b", "splits inside of classes")):
        for read in (_train_on, open_images):
            with pytest.raises(UserError, match=match):
                read(tmp_path / name)
    _save(tmp_path / "c" / "test" / "a" / "0.png")
    with pytest.raises(UserError, match="holds the split 'test', but no 'train'"):
        _train_on(tmp_path / "c")
    assert open_images(tmp_path / "c").count == 1


def test_an_unreadable_folder_is_an_error(tmp_path, monkeypatch):
    """Fault: a folder of the data set may not be read.

    Command: train, metrics
    User sees: The folder '…/b' cannot be read: Permission denied.
    Exit code: 2
    Lost: nothing
    """
    _folder(tmp_path, "ab")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    for read in (_train_on, open_images):
        with pytest.raises(UserError, match="/b' cannot be read: Permission denied"):
            read(tmp_path)


def test_a_link_to_nowhere_is_an_error(tmp_path):
    """Fault: an image of the data set is a link to a file that is gone.

    Command: train, metrics
    User sees: '…/a/9.png' is not a readable image: No such file or directory.
    Exit code: 2
    Lost: nothing
    """
    _folder(tmp_path, "a")
    (tmp_path / "a" / "9.png").symlink_to(tmp_path / "gone.png")
    for read in (_train_on, open_images):
        with pytest.raises(UserError, match=r"9.png' .*No such file"):
            read(tmp_path)


@pytest.mark.parametrize("separator", "/\\")
def test_a_zip_is_trained_on_like_the_folder(tmp_path, separator):
    """Fault: the data set is a zip, made on Windows with its own separator, around a folder.

    Command: train, metrics
    User sees: 'a.zip': 4 images, 2 classes (a: 2, b: 2).
    Exit code: 0
    Lost: nothing
    """
    folder = _folder(tmp_path / "photos", "ab")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted((tmp_path / "photos").rglob("*.png")):
            info = zipfile.ZipInfo("x")
            info.filename = str(path.relative_to(tmp_path)).replace("/", separator)
            archive.writestr(info, path.read_bytes())
    zipped = str(tmp_path / "a.zip")
    dataset, other = _train_on(zipped), _train_on(folder)
    assert dataset.class_names == other.class_names == open_images(zipped).class_names
    assert dataset.source.keys("train") == other.source.keys("train")
    for (images, labels), (others, same) in zip(
        eval_batches(dataset, "train", 4), eval_batches(other, "train", 4), strict=True
    ):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, same)
    (tmp_path / "text.zip").write_text("text")
    with pytest.raises(UserError, match=r"text\.zip' cannot be read \(File is not a zip"):
        _train_on(tmp_path / "text.zip")


@pytest.mark.parametrize("soft", (False, True))
def test_a_set_in_the_form_of_stylegan_is_trained_on(tmp_path, soft):
    """Fault: folders `00000`, `00001` with a `dataset.json` are taken for classes.

    Command: train, metrics
    User sees: the classes of `dataset.json`
    Exit code: 0
    Lost: nothing
    """
    names = [f"0000{i % 2}/img{i:08}.png" for i in range(4)]
    labels = [[0.25, 0.75], [1, 0], [0, 1], [0.5, 0.5]] if soft else [2, 0, 1, 0]
    for i, name in enumerate(names):
        _save(tmp_path / "set" / name, i)
    pairs = list(zip(names, labels, strict=True))
    (tmp_path / "set" / "dataset.json").write_text(json.dumps({"labels": pairs}))
    shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "set")
    hard = [1, 0, 1, 0] if soft else labels
    for place in (tmp_path / "set", tmp_path / "set.zip"):
        dataset, opened = _train_on(place), open_images(place)
        assert dataset.num_classes == (2 if soft else 3)
        order = [names.index(key) for key in dataset.source.keys("train")]
        assert dataset.given_labels.tolist() == [labels[i] for i in order]
        [(images, found)] = eval_batches(dataset, "train", 4)
        assert found.tolist() == [hard[level] for level in images[:, 0, 0, 0]]
        [batch] = opened.batches(4)
        assert batch.labels.tolist() == [hard[level] for level in batch.images[:, 0, 0, 0]]
    (tmp_path / "set" / "dataset.json").write_text('{"labels": null}')
    assert _train_on(tmp_path / "set").num_classes is None
    assert not open_images(tmp_path / "set").has_labels


def _same_data(place, expected):
    dataset, opened = _train_on(place), open_images(place)
    assert dataset.class_names == opened.class_names == expected.class_names
    assert dataset.num_classes == expected.num_classes
    for read in (dataset, expected):
        [(images, labels)] = eval_batches(read, "train", 100)
        order = np.lexsort((labels, images[:, 0, 0, 0]))
        images, labels = images[order], labels[order]
        if read is dataset:
            found = images, labels
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)
    [batch] = opened.batches(100)
    order = np.lexsort((batch.labels, batch.images[:, 0, 0, 0]))
    np.testing.assert_array_equal(batch.images[order], images)
    np.testing.assert_array_equal(batch.labels[order], labels)


@pytest.mark.parametrize("limit", (2**30, 0))
def test_every_form_of_a_data_set_is_the_same_to_training_and_metrics(tmp_path, monkeypatch, limit):
    """Fault: the data set is a table of files, or an .npz of arrays.

    Command: train, metrics
    User sees: the same images and classes as in a folder
    Exit code: 0
    Lost: nothing
    """
    monkeypatch.setattr(sources, "MEMORY_LIMIT", limit)
    names = ("2", "10", "33")
    expected = _train_on(_folder(tmp_path / "photos", names))
    rows = [f"{path.relative_to(tmp_path)},{path.parent.name}"
            for path in sorted((tmp_path / "photos").rglob("*.png"))]  # fmt: skip
    (tmp_path / "labels.csv").write_text("file,label\n" + "\n".join(rows))
    _same_data(tmp_path / "labels.csv", expected)
    [(images, labels)] = eval_batches(expected, "train", 100)
    np.savez(tmp_path / "a.npz", images=images, labels=labels, class_names=np.array(names))
    np.savez_compressed(tmp_path / "b.NPZ.npz", images, labels.astype(">i8"), class_names=names)
    for name in ("a.npz", "b.NPZ.npz"):
        _same_data(tmp_path / name, expected)
    gray = _train_on(tmp_path / "a.npz", channels=1, image_size=4)
    assert gray.image_shape == (4, 4, 1)
    np.savez(tmp_path / "c.npz", images=images)
    assert _train_on(tmp_path / "c.npz").num_classes is None


def test_nested_folders_count_the_same_in_both(tmp_path):
    """Fault: a class has subfolders.

    Command: train, metrics
    User sees: nothing; their images belong to the class
    Exit code: 0
    Lost: nothing
    """
    for name in ("cat/0.png", "cat/persian/1.png", "dog/x/y/2.png"):
        _save(tmp_path / name)
    dataset, opened = _train_on(tmp_path), open_images(tmp_path)
    assert dataset.num_train == opened.count == 3
    assert dataset.class_names == opened.class_names == ("cat", "dog")
    assert dataset.given_labels.tolist() == opened.labels.tolist() == [0, 0, 1]
    assert dataset.source.keys("train") == ["cat/0.png", "cat/persian/1.png", "dog/x/y/2.png"]


@pytest.mark.parametrize("name", ("classes.json", "dataset.json"))
def test_files_of_other_programs_do_not_turn_splits_into_classes(tmp_path, name):
    """Fault: another program's `classes.json` or `dataset.json` lies beside `train/` and `test/`.

    Command: train, metrics
    User sees: '…': 6 images, 2 classes (a: 3, b: 3); splits train: 4, test: 2; left out: 1
        other file (.json).
    Exit code: 0
    Lost: nothing
    """
    _folder(tmp_path / "train", "ab")
    _folder(tmp_path / "test", "ab", count=1)
    (tmp_path / name).write_text(json.dumps({"a": 0, "b": 1}))
    dataset = _train_on(tmp_path)
    assert (dataset.num_train, dataset.class_names) == (4, ("a", "b"))
    assert dataset.splits == {"train": 4, "test": 2}
    assert open_images(f"{tmp_path}:test").count == 2


def test_an_image_beside_a_set_of_sample_is_refused(tmp_path):
    """Fault: `grid.png` was saved beside the images that `sample --num` wrote.

    Command: train, metrics
    User sees: 'grid.png' beside '…/classes.json' has no class: that file gives classes to images
        named <number>_<class>.png in its own folder; move all others elsewhere.
    Exit code: 2
    Lost: nothing
    """
    dataset = _train_on(_folder(tmp_path / "real", "ab"))
    path = write_images(_perfect_sampler(dataset, ["a", "b"]), str(tmp_path / "fake"), 4)
    _save(tmp_path / "fake" / "grid.png")
    for read in (_train_on, open_images):
        with pytest.raises(UserError, match=r"'grid\.png' beside .*classes\.json' has no class"):
            read(path)


def test_metrics_have_no_classes_where_only_some_images_have_a_label(tmp_path, caplog):
    """Fault: a table gives labels to some of its images only.

    Command: metrics, train
    User sees: in `metrics`, 4 images, 2 classes (a: 1, b: 1); 2 images without a class. — and no
        scores by class; `train` uses the labels that there are
    Exit code: 0
    Lost: nothing
    """
    _folder(tmp_path, "ab")
    (tmp_path / "t.csv").write_text("file,label\na/0.png,a\na/1.png,\nb/0.png,b\nb/1.png,\n")
    with caplog.at_level(logging.INFO, "compare_gan"):
        images = open_images(tmp_path / "t.csv")
    assert (images.has_labels, images.class_names, images.num_classes) == (False, None, 1)
    assert [batch.labels for batch in images.batches(4)] == [None]
    assert "2 images without a class" in caplog.text
    assert _train_on(tmp_path / "t.csv").given_labels.tolist() == [0, -1, 1, -1]
    (tmp_path / "c.csv").write_text("file,category\na/0.png,a\n")
    for read in (_train_on, open_images):
        with pytest.raises(UserError, match="has no column 'label', but 'category'"):
            read(tmp_path / "c.csv")


def _zip_with_a_flipped_byte(path, text):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dataset.json", text)
        archive.writestr("0.png", "")
    content = bytearray(path.read_bytes())
    content[content.index(b"labels")] ^= 1
    path.write_bytes(bytes(content))


def _encrypted_zip(path, text):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dataset.json", text)
        archive.writestr("0.png", "")
    content = bytearray(path.read_bytes())
    for start, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(start) + place] |= 1
    path.write_bytes(bytes(content))


def _zip_of_brackets(path, text):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dataset.json", "[" * 100_000)
        archive.writestr("0.png", "")


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (_zip_with_a_flipped_byte, r"dataset\.json' cannot be read: Bad CRC-32"),
        (_encrypted_zip, r"dataset\.json' cannot be read: .* is encrypted"),
        (_zip_of_brackets, r"dataset\.json' is not a JSON file: "),
    ),
)
def test_a_damaged_list_of_labels_is_an_error(tmp_path, make, sentence):
    """Fault: `dataset.json` in a zip is damaged, encrypted, or 100,000 opening brackets.

    Command: train, metrics
    User sees: '…/dataset.json' cannot be read: Bad CRC-32 for file 'dataset.json'.
    Exit code: 2
    Lost: nothing
    """
    make(tmp_path / "a.zip", '{"labels": [["0.png", 0]]}')
    for read in (_train_on, open_images):
        with pytest.raises(UserError, match=sentence):
            read(tmp_path / "a.zip")


def test_a_huge_label_is_refused_before_it_takes_memory(tmp_path):
    """Fault: one label is 2147483646, so that counting images by class takes gigabytes.

    Command: train, metrics, dataset
    User sees: The label 2147483646 in '…' is too large: classes count from 0 to at most 1,048,575.
    Exit code: 2
    Lost: nothing
    """
    images = np.zeros([2, _SIZE, _SIZE, 3], np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([0, 2**31 - 2]))
    for read in (_train_on, open_images, lambda path: inspect_images(str(path))):
        with pytest.raises(UserError, match=r"The label 2147483646 in '.*a\.npz' is too large"):
            read(tmp_path / "a.npz")


@pytest.mark.parametrize("valid", (False, True))
def test_arrays_of_an_npz_without_their_ending(tmp_path, valid):
    """Fault: an entry of the .npz is called `labels`, not `labels.npy`.

    Command: train, metrics
    User sees: nothing if it is an array, otherwise 'labels' of '…' is not an array: …
    Exit code: 0; 2
    Lost: nothing
    """
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros([2, _SIZE, _SIZE, 3], np.uint8))
    np.save(tmp_path / "labels.npy", np.array([1, 0]))
    with zipfile.ZipFile(path, "a") as archive:
        content = (tmp_path / "labels.npy").read_bytes()
        archive.writestr("labels", content if valid else b"1, 0")
    for read in (_train_on, open_images):
        if valid:
            assert read(path).num_classes == 2
            continue
        with pytest.raises(UserError, match=r"'labels' of '.*' is not an array"):
            read(path)


def test_a_class_may_be_empty_in_the_test_split(tmp_path):
    """Fault: the folder of a class is empty in `test/`.

    Command: train, metrics
    User sees: the line about the images says so; one in `train/` is refused
    Exit code: 0
    Lost: nothing
    """
    _folder(tmp_path / "train", "ab")
    _folder(tmp_path / "test", "a")
    (tmp_path / "test" / "b").mkdir()
    assert _train_on(tmp_path).class_names == ("a", "b")
    (tmp_path / "train" / "c").mkdir()
    with pytest.raises(UserError, match="The class 'c' has no images"):
        _train_on(tmp_path)


def test_a_zip_around_a_flat_folder_has_no_classes(tmp_path):
    """Fault: the zip of a folder of images without classes holds that folder, `photos/0.png`.

    Command: train, metrics
    User sees: 'a.zip': 1 image, no classes.
    Exit code: 0
    Lost: nothing
    """
    _save(tmp_path / "photos" / "0.png")
    shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path, "photos")
    for place in (tmp_path / "photos", tmp_path / "a.zip"):
        assert _train_on(place).num_classes is None and not open_images(place).has_labels
