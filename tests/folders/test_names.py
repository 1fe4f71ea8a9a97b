"""Which names are images, hidden, or splits."""

import pytest

from compare_gan.folders.names import is_hidden, is_image_name, split_of


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
