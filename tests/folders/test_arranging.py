"""Which splits and classes files form."""

import dataclasses
import io
import json

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.folders import Storage, arrange, classes_text


def _storage(*files, **contents):
    """Files by their paths; `contents` are JSON files with their content."""
    names = tuple(sorted([*files, *(f"{name}.json" for name in contents)]))
    folders = {
        "/".join(name.split("/")[:i]) for name in names for i in range(1, name.count("/") + 1)
    }
    texts = {f"{name}.json": text.encode() for name, text in contents.items()}
    return Storage(
        "set", tuple(name for name in names if not name.endswith("/")), tuple(sorted(folders)), 0,
        lambda name: io.BytesIO(texts[name]),
    )  # fmt: skip


def _labels(found, split="all"):
    own = found.splits[split]
    return dict(zip(own.images, own.labels.tolist(), strict=True))


def test_numeric_classes_are_in_the_order_of_their_numbers():
    found = arrange(_storage(*(f"{name}/0.png" for name in range(11))))
    assert found.class_names == tuple(map(str, range(11)))
    assert _labels(found)["10/0.png"] == 10
    old = tuple(sorted(map(str, range(11))))
    assert arrange(found.storage, class_order=old).class_names == old
    assert arrange(found.storage, class_order=old[1:]).class_names == found.class_names


def test_nested_folders_belong_to_the_class():
    found = arrange(_storage("cat/persian/1.png", "cat/2.png", "dog/a/b/3.png"))
    assert _labels(found) == {"cat/2.png": 0, "cat/persian/1.png": 0, "dog/a/b/3.png": 1}


@pytest.mark.parametrize("root", ("", "photos/", "photos/all/"))
def test_a_folder_around_everything_is_entered(root):
    found = arrange(_storage(f"{root}cat/1.png", f"{root}dog/1.png"))
    assert found.class_names == ("cat", "dog") and found.splits["all"].root == root
    found = arrange(_storage(f"{root}Train/cat/1.png", f"{root}Test/cat/1.png"))
    assert {split: own.root for split, own in found.splits.items()} == {
        "train": f"{root}Train/", "test": f"{root}Test/",
    }  # fmt: skip
    found = arrange(_storage(f"{root}only/1.png"))
    assert found.class_names == ("only",) and found.splits["all"].root == root


@pytest.mark.parametrize(
    ("folders", "splits"),
    (
        ("Train Test", {"train", "test"}),
        ("training testing", {"train", "test"}),
        ("train valid", {"train", "val"}),
        ("TRAIN validation test", {"train", "validation", "test"}),
        ("train val", {"train", "val"}),
    ),
)
def test_splits_are_found(folders, splits):
    found = arrange(_storage(*(f"{folder}/a/0.png" for folder in folders.split()), "preview.png"))
    assert set(found.splits) == splits and found.class_names == ("a",)
    assert found.outside == ("preview.png",)
    assert "1 image outside the splits" in found.summary()


def test_a_class_may_be_called_train():
    assert arrange(_storage("bus/0.png", "train/0.png")).class_names == ("bus", "train")


@pytest.mark.parametrize(
    ("files", "sentence"),
    (
        ("train/a/0.png test/a/0.png extra/0.png", "('test', 'train') beside 'extra'"),
        ("train/a/0.png bus/0.png", "('train') beside 'bus'"),
        ("bus/0.png test/0.png", "('test') beside 'bus'"),
        ("train/0.png Train/0.png", "both 'Train' and 'train', which mean the same split"),
        ("a/val/0.png a/test/0.png", "splits inside of classes ('a/test', 'a/val')"),
        ("a/train/0.png a/test/0.png", "splits inside of classes ('a/test', 'a/train')"),
        ("train/a/0.png val/notes.txt", "'set/val' holds no image"),
        ("notes.txt", "'set' holds no image (.png, "),
    ),
)
def test_what_is_not_clear_is_refused(files, sentence):
    if files.startswith("a/"):
        files += " b/0.png"
    with pytest.raises(UserError) as error:
        arrange(_storage(*files.split()))
    assert sentence in str(error.value)


def test_images_beside_classes():
    found = arrange(_storage("cat/1.png", "2.png"))
    assert (found.num_classes, found.splits["all"].labels) == (0, None)
    assert found.splits["all"].unclassed == "2.png"
    assert "no classes because '2.png' has none" in found.summary()


def test_names_of_files_are_labels_only_where_classes_json_says_so():
    names = ("000000_2.png", "000001_0.png")
    found = arrange(_storage(*names))
    assert found.num_classes == 0 and found.numbered
    found = arrange(_storage(*names), class_in_name=True)
    assert (found.num_classes, found.class_names, _labels(found)) == (
        3, None, {names[0]: 2, names[1]: 0},
    )  # fmt: skip
    found = arrange(_storage(*names, classes=classes_text(["1", "3", "7"])))
    assert (found.class_names, _labels(found)) == (("1", "3", "7"), {names[0]: 2, names[1]: 0})
    assert not found.others  # classes.json is ours.
    # Folders win over the names of files, whatever the option.
    found = arrange(_storage("a/000001_2.png", "b/000002_5.png"), class_in_name=True)
    assert found.class_names == ("a", "b")
    # A date and a time, and a number that no integer holds.
    assert arrange(_storage("20210101_120000.png", "1.png")).num_classes == 0
    assert arrange(_storage("000001_16500000000000000000.png"), True).num_classes == 0


def test_a_foreign_classes_json_is_no_mark():
    found = arrange(_storage("000000_2.png", classes=json.dumps({"cat": 0})))
    assert found.num_classes == 0


@pytest.mark.parametrize("names", (["a"], ["a", "a", "a"], "abc", [1, 2, 3]))
def test_a_wrong_classes_json_is_refused(names):
    text = json.dumps({"file_names": "<number>_<class>.png", "class_names": names})
    with pytest.raises(UserError, match=r"classes\.json|class_names"):
        arrange(_storage("000000_2.png", classes=text))


@pytest.mark.parametrize("name", ("classes", "dataset"))
@pytest.mark.parametrize("content", ({"cat": 0}, ["cat", "dog"], {"file_names": "*.png"}, None))
@pytest.mark.parametrize("root", ("", "photos/"))
def test_foreign_files_beside_splits_are_no_marks(name, content, root):
    files = [f"{root}{split}/{kind}/0.png" for split in ("train", "test") for kind in "ab"]
    found = arrange(_storage(*files, **{f"{root}{name}": json.dumps(content)}))
    assert (list(found.splits), found.class_names) == (["train", "test"], ("a", "b"))
    assert found.others == (f"{root}{name}.json",)
    # Beside the images of a single class it is no reason to enter that class's folder either.
    found = arrange(_storage("a/0.png", **{f"a/{name}": json.dumps(content)}))
    assert found.class_names == ("a",)


@pytest.mark.parametrize("extra", ("grid.png", "old/000001_0.png", "train/cat/0.png", "1_0.png"))
def test_images_without_a_class_beside_classes_json_are_refused(extra):
    with pytest.raises(UserError) as error:
        arrange(_storage("000000_2.png", extra, classes=classes_text(["a", "b", "c"])))
    assert f"'{extra}' beside 'set/classes.json' has no class" in str(error.value)


def test_classes_json_of_each_split():
    def found(**contents):
        return arrange(_storage("train/000000_2.png", "test/000000_0.png", **contents))

    text = classes_text(["1", "3", "7"])
    both = found(**{"train/classes": text, "test/classes": text})
    assert (both.class_names, both.others) == (("1", "3", "7"), ())
    assert _labels(both, "train") == {"train/000000_2.png": 2}
    assert _labels(both, "test") == {"test/000000_0.png": 0}
    unnamed = classes_text(None)
    assert found(**{"train/classes": unnamed, "test/classes": unnamed}).num_classes == 3
    other = classes_text(["1", "3", "8"])
    with pytest.raises(UserError, match=r"train/classes.json' and .* define different classes"):
        found(**{"train/classes": text, "test/classes": other})
    with pytest.raises(UserError, match=r"'set/test/' has no such file"):
        found(**{"train/classes": text})
    labels = {split: json.dumps({"labels": [[name, value]]})
              for split, name, value in (("train", "000000_2.png", [0.5, 0.5]),
                                         ("test", "000000_0.png", [0.5, 0.2, 0.3]))}  # fmt: skip
    with pytest.raises(UserError, match="define different classes"):
        found(**{f"{split}/dataset": text for split, text in labels.items()})


def test_a_folder_around_the_classes_of_each_split_is_entered():
    files = [f"{split}/{split}_images/{kind}/0.png" for split in ("train", "test") for kind in "ab"]
    found = arrange(_storage(*files))
    assert found.class_names == ("a", "b")
    assert found.splits["test"].root == "test/test_images/"
    # All splits must have one, and it must hold folders.
    found = arrange(_storage(*files[:2], "test/train_images/a/0.png", "test/more/0.png"))
    assert found.class_names == ("more", "train_images")
    assert arrange(_storage("train/a/0.png", "test/a/0.png")).class_names == ("a",)


@pytest.mark.parametrize("inside", ("0.png 1.png", "cat/0.png 1.png", "cat/0.png", "train/0.png"))
def test_an_archive_of_a_folder_is_like_the_folder(inside):
    folder = arrange(_storage(*inside.split()))
    storage = _storage(*(f"photos/{name}" for name in inside.split()))
    archive = arrange(dataclasses.replace(storage, is_archive=True))
    assert archive.class_names == folder.class_names
    assert list(archive.splits) == list(folder.splits)
    unclassed = [own.unclassed and f"photos/{own.unclassed}" for own in folder.splits.values()]
    assert [own.unclassed for own in archive.splits.values()] == unclassed


def test_huge_labels_are_refused():
    assert arrange(_storage("000000_1048575.png"), class_in_name=True).num_classes == 2**20
    with pytest.raises(
        UserError, match=r"999999999 in the name of '000000_999999999\.png' in 'set'"
    ):
        arrange(_storage("000000_999999999.png", "000001_2.png"), class_in_name=True)
    for label in (2**20, 3e9, 2**70):
        text = json.dumps({"labels": [["0.png", label]]})
        with pytest.raises(UserError, match=r"in 'set/dataset.json' is too large"):
            arrange(_storage("0.png", dataset=text))
    text = json.dumps({"labels": [["0.png", 10**400]]})
    with pytest.raises(UserError, match="must all be classes"):
        arrange(_storage("0.png", dataset=text))


def test_dataset_json_of_stylegan():
    files = ("00000/img00000000.png", "00000/img00000001.png", "00001/img00001000.png")

    def found(labels):
        if labels is not None:
            labels = list(zip(files, labels, strict=True))
        return arrange(_storage(*files, dataset=json.dumps({"labels": labels})))

    assert found(None).num_classes == 0  # Its folders are no classes.
    integers = found([6, 0, 2])
    assert (integers.num_classes, integers.class_names) == (7, None)
    assert integers.splits["all"].labels.tolist() == [6, 0, 2]
    vectors = found([[0, 1.0, 0], [1, 0, 0], [1, 0, 0]])
    assert (vectors.num_classes, vectors.splits["all"].labels.tolist()) == (3, [1, 0, 0])
    soft = found([[0.25, 0.75], [1, 0], [0.5, 0.5]])
    assert soft.splits["all"].labels.dtype == np.float32
    assert soft.counts("all").tolist() == [2, 1]
    for wrong in ([-1, 0, 1], [0.5, 1, 2], [[1, 2], [0, 1], [1, 0]], [[1], [0, 1], [1, 0]], "abc"):
        with pytest.raises(UserError, match="must all be classes"):
            found(wrong)
    with pytest.raises(UserError, match=r"no label for 2 of 3 images, such as '00000/img00000001"):
        arrange(_storage(*files, dataset=json.dumps({"labels": [[files[0], 1]]})))
    twice = [*zip(files, [1, 0, 1], strict=True), (files[0], 0)]
    with pytest.raises(UserError, match=r"gives several labels to '00000/img00000000\.png'"):
        arrange(_storage(*files, dataset=json.dumps({"labels": twice})))
    with pytest.raises(UserError, match="pairs of a path and a label"):
        arrange(_storage(*files, dataset=json.dumps({"labels": [1]})))


def test_the_summary():
    files = [f"{split}/{name}/{i}.png" for split, n in (("train", 2), ("test", 1))
             for name in ("a", "b") for i in range(n)]  # fmt: skip
    found = arrange(_storage(*files, "train/readme.txt", "train/empty/x.csv"))
    assert found.summary() == (
        "'set': 6 images, 2 classes (a: 3, b: 3); splits train: 4, test: 2; left out: 2 other "
        "files (.csv, .txt), 1 folder without images ('train/empty')."
    )
    many = arrange(_storage(*(f"{i}/{j}.png" for i in range(20) for j in range(1 + i % 3))))
    assert many.summary() == "'set': 39 images, 20 classes of 1 to 3 images."
