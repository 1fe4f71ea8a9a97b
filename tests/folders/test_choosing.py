"""The classes that are taken: by name, by their number of images."""

import json

import pytest
from PIL import Image

from compare_gan.errors import UserError
from compare_gan.folders import ClassChoice, check_for_training, choose_classes, find_images


def _save(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(path)


def _tree(root, counts):
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for i in range(count):
            _save(root / folder / f"{i}.png")
    return str(root)


def _choose(place, *classes, min_images=0):
    choice = ClassChoice(tuple(classes) or None, min_images)
    return choose_classes(find_images(str(place)), choice)


def test_chosen_classes_keep_their_order_and_names(tmp_path):
    place = _tree(tmp_path, {"1": 1, "3": 2, "20": 3, "100": 1})
    found = _choose(place, "20", "3")
    own = found.splits["all"]
    assert (found.num_classes, found.class_names) == (2, ("3", "20"))
    assert own.images == ("3/0.png", "3/1.png", "20/0.png", "20/1.png", "20/2.png")
    assert own.labels.tolist() == [0, 0, 1, 1, 1]
    line = (
        f"'{place}': 5 images, 2 classes (3: 2, 20: 3); left out: 2 other classes (1: 1, 100: 1)."
    )
    assert found.summary() == line


def test_small_classes_are_left_out_and_said(tmp_path):
    place = _tree(tmp_path, {"cat": 3, "dog": 2, "owl": 1, "empty": 0})
    with pytest.raises(UserError, match=r"'empty' has no images.* or set .*min_images = 1\."):
        check_for_training(find_images(place))
    found = _choose(place, min_images=2)
    check_for_training(found)
    assert found.summary() == (
        f"'{place}': 5 images, 2 classes (cat: 3, dog: 2); left out: 2 classes with fewer than 2 "
        "images (owl: 1, empty: 0)."
    )
    found = _choose(place, "owl", "cat", min_images=2)
    assert found.class_names == ("cat",)
    assert found.left_out() == [
        "2 other classes (dog: 2, empty: 0)", "1 class with fewer than 2 images (owl: 1)",
    ]  # fmt: skip
    with pytest.raises(UserError, match="'empty' has no images"):  # It was asked for.
        check_for_training(_choose(place, "cat", "empty"))


def test_all_classes_are_what_was_found(tmp_path):
    found = find_images(_tree(tmp_path, {"cat": 1, "dog": 1}))
    assert choose_classes(found, ClassChoice()) is found
    assert choose_classes(found, ClassChoice(("dog", "cat"), 1)).summary() == found.summary()


def test_the_images_to_train_on_count_and_other_splits_follow(tmp_path):
    sizes = {"train/a": 1, "train/b": 3, "test/a": 5, "test/b": 1, "test/c": 9, "val/a": 2}
    found = _choose(_tree(tmp_path, sizes), min_images=2)
    check_for_training(found)
    assert {split: own.images for split, own in found.splits.items()} == {
        "train": ("train/b/0.png", "train/b/1.png", "train/b/2.png"),
        "test": ("test/b/0.png",),
    }
    assert found.left_out() == [
        "2 classes with fewer than 2 training images (a: 1, c: 0)",
        "the split 'val'",
    ]


def test_images_without_a_class_stay_unless_classes_are_chosen_by_name(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("file,label\n0.png,cat\n1.png,\n2.png,dog\n3.png,cat\n")
    found = _choose(table, min_images=2)
    assert found.splits["all"].images == ("0.png", "1.png", "3.png")
    assert found.splits["all"].labels.tolist() == [0, -1, 0]
    found = _choose(table, "dog")
    assert found.splits["all"].images == ("2.png",) and found.class_names == ("dog",)
    assert found.left_out() == ["1 other class (cat: 2)", "1 image without a class"]


@pytest.mark.parametrize("soft", (False, True))
def test_classes_without_names_are_named_by_their_numbers(tmp_path, soft):
    labels = [2, 0, 2, 1]
    if soft:
        labels = [[0.25, 0.25, 0.5], [0.75, 0.25, 0], [0, 0, 1], [0.25, 0.5, 0.25]]
    for i in range(4):
        _save(tmp_path / f"{i}.png")
    pairs = [[f"{i}.png", label] for i, label in enumerate(labels)]
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": pairs}))
    found = _choose(tmp_path, "0", "2")
    own = found.splits["all"]
    assert (found.class_names, own.images) == (("0", "2"), ("0.png", "1.png", "2.png"))
    assert own.hard_labels.tolist() == [1, 0, 1]
    if soft:  # The probabilities of both, among them.
        expected = [1 / 3, 2 / 3, 1, 0, 0, 1]
        assert own.labels.ravel().tolist() == pytest.approx(expected, abs=1e-6)


def test_what_cannot_be_chosen_is_refused(tmp_path):
    place = _tree(tmp_path / "classes", {"cat": 3, "dog": 2})
    with pytest.raises(UserError, match=r"has no class 'dgo'\. Did you mean 'dog'\? Known: c"):
        _choose(place, "dgo")
    with pytest.raises(UserError, match=r"has 5 images \(min_images\): 'cat' has most, 3\."):
        _choose(place, min_images=5)
    _save(tmp_path / "mixed" / "cat" / "0.png")
    _save(tmp_path / "mixed" / "1.png")
    with pytest.raises(UserError, match=r"no classes because '1\.png' has none"):
        _choose(tmp_path / "mixed", min_images=1)
