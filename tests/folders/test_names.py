"""Which names are images, hidden, or splits, and how they are sorted."""

import pytest

from compare_gan.folders.names import is_hidden, is_image_name, natural_key, split_of


def test_numbers_in_names_are_sorted_as_numbers():
    names = ["10", "9", "1", "007", "7", "b10", "b9x2", "b9x10", "a", "Z", "-1", "1" * 5000]
    assert sorted(names, key=natural_key) == [
        "1", "007", "7", "9", "10", "1" * 5000, "-1", "Z", "a", "b9x2", "b9x10", "b10",
    ]  # fmt: skip


def test_names_without_digits_are_sorted_as_before():
    names = ["T-shirt/top", "bag", "Bag", "Ankle boot", "ähre", "犬"]
    assert sorted(names, key=natural_key) == sorted(names)


@pytest.mark.parametrize("name", ("a.png", "a.JPG", "a.JPG.", "a.jfif", "x/a.tiff", "a.webp"))
def test_endings_of_images(name):
    assert is_image_name(name) and not is_image_name(f"{name}.txt")


@pytest.mark.parametrize(
    "name", (".thumbnails", "._x.png", "__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found")
)
def test_hidden_names(name):
    assert is_hidden(name) and not is_hidden("cat")


def test_names_of_splits():
    names = ("Train", "TRAINING", "test", "Testing", "val", "Valid", "Validation", "trainer")
    assert [split_of(name) for name in names] == [
        "train", "train", "test", "test", "val", "val", "validation", None,
    ]  # fmt: skip
