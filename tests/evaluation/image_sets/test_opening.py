"""Opening paths and names as image sets: the same images from every kind of storage."""

import logging
import shutil

import gin
import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets import as_arrays, eval_batches, get_dataset
from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import GivenStatistics, open_images
from compare_gan.folders import classes_text

_RNG = np.random.default_rng(0)
_IMAGES = _RNG.integers(0, 256, (23, 6, 5, 3), dtype=np.uint8)
_LABELS = np.arange(23) % 3


@pytest.fixture(name="folder")
def _folder(tmp_path):
    """Writes the images to one subfolder per class."""
    for i, (image, label) in enumerate(zip(_IMAGES, _LABELS, strict=True)):
        (tmp_path / "images" / "abc"[label]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "images" / "abc"[label] / f"{i:02}.png")
    return str(tmp_path / "images")


def _all(images, batch_size=4):
    """Images and labels, sorted by the images."""
    batches = list(images.batches(batch_size))
    assert all(len(batch.images) == batch_size for batch in batches[:-1])
    pixels = np.concatenate([batch.images for batch in batches])
    labels = [None] * len(pixels)
    if images.has_labels:
        labels = np.concatenate([batch.labels for batch in batches])
    order = sorted(range(len(pixels)), key=lambda i: pixels[i].tobytes())
    return pixels[order], [labels[i] for i in order]


def test_folder_zip_npz_and_array_hold_the_same(folder, tmp_path):
    shutil.make_archive(str(tmp_path / "images"), "zip", folder)
    np.savez(tmp_path / "plain.npz", images=_IMAGES, labels=_LABELS)
    np.savez_compressed(tmp_path / "packed.npz", labels=_LABELS, samples=_IMAGES)
    np.savez(tmp_path / "old.npz", arr_0=np.asfortranarray(_IMAGES), labels=_LABELS.astype(">i8"))
    places = [folder, *(tmp_path / f"{n}" for n in ("images.zip", "plain.npz", "packed.npz",
                                                    "old.npz"))]  # fmt: skip
    expected = _all(open_images((_IMAGES, _LABELS)))
    for place in places:
        opened = open_images(place)
        assert (opened.count, opened.shape, opened.has_labels) == (23, (6, 5, 3), True)
        images, labels = _all(opened)
        np.testing.assert_array_equal(images, expected[0])
        assert labels == expected[1]
    assert open_images(folder).class_names == ("a", "b", "c")


def test_a_subset_is_drawn_in_an_order_that_depends_on_the_seed(folder):
    def first(seed, num):
        taken = open_images(folder).take(num, seed)
        assert taken.count == num
        return np.concatenate([batch.images for batch in taken.batches(10)])

    np.testing.assert_array_equal(first(1, 9), first(1, 9))
    assert not np.array_equal(first(1, 9), first(2, 9))
    everything = {image.tobytes() for image in first(3, 23)}
    assert everything == {image.tobytes() for image in _IMAGES}


def test_labels_come_from_the_file_names_that_sample_writes(tmp_path):
    for i, label in enumerate((3, 0, 12)):
        Image.fromarray(_IMAGES[i]).save(tmp_path / f"{i:06}_{label}.png")
    assert not open_images(tmp_path).has_labels  # Anybody may write such names.
    gin.bind_parameter("image_folder.class_in_name", True)
    opened = open_images(tmp_path)
    [batch] = opened.batches(5)
    assert list(batch.labels) == [3, 0, 12] and opened.class_names is None
    gin.clear_config()
    names = [f"class {i}" for i in range(13)]
    (tmp_path / "classes.json").write_text(classes_text(names))
    opened = open_images(tmp_path)
    [batch] = opened.batches(5)
    assert list(batch.labels) == [3, 0, 12] and opened.class_names == tuple(names)
    (tmp_path / "classes.json").write_text(classes_text(names[:12]))
    with pytest.raises(UserError, match=r"the class 12 in its name, but classes.json there names"):
        open_images(tmp_path)
    (tmp_path / "classes.json").write_text(classes_text(names))
    Image.fromarray(_IMAGES[4]).save(tmp_path / "other.png")
    with pytest.raises(UserError, match=r"'other\.png' beside .*classes\.json' has no class"):
        open_images(tmp_path)


def test_gray_images_among_color_images_are_repeated(tmp_path):
    Image.fromarray(_IMAGES[0, ..., 0]).save(tmp_path / "0.png")
    Image.fromarray(_IMAGES[1]).save(tmp_path / "1.png")
    opened = open_images(tmp_path)
    [batch] = opened.batches(5)
    assert opened.shape == (6, 5, 3)
    np.testing.assert_array_equal(batch.images[0], np.stack([_IMAGES[0, ..., 0]] * 3, axis=-1))


def test_images_of_several_sizes_have_no_common_shape(tmp_path):
    Image.fromarray(_IMAGES[0]).save(tmp_path / "0.png")
    Image.fromarray(_IMAGES[1, :4]).save(tmp_path / "1.png")
    opened = open_images(tmp_path)
    assert opened.shape is None
    [batch] = opened.batches(5)
    assert [image.shape for image in batch.images] == [(6, 5, 3), (4, 5, 3)]


def test_a_data_set_is_read_as_evaluation_reads_it():
    opened = open_images("fashion_mnist_10k:train").take(30, seed=5)
    dataset = get_dataset("fashion_mnist_10k")
    images, labels = as_arrays(dataset, num_examples=30)
    batches = list(opened.batches(20))
    np.testing.assert_array_equal(np.concatenate([b.images for b in batches]), images)
    np.testing.assert_array_equal(np.concatenate([b.labels for b in batches]), labels)
    assert opened.name == "fashion_mnist_10k:train" and opened.class_names == dataset.class_names


def test_a_data_set_uses_the_requested_split():
    gin.bind_parameter("dataset.image_size", 8)
    assert open_images("synthetic").split == "test"
    assert open_images("synthetic", choose_split=lambda dataset: "train").split == "train"
    assert open_images("synthetic:test", choose_split=lambda dataset: "train").split == "test"
    [first] = open_images("synthetic").take(3, 0).batches(3)
    images, _ = next(iter(eval_batches(get_dataset("synthetic"), "test", 3)))
    np.testing.assert_array_equal(first.images, images)


def test_statistics_of_other_programs(tmp_path):
    mean, covariance = np.arange(3.0), np.eye(3, dtype=np.float32)
    np.savez(tmp_path / "a.npz", mu=mean, sigma=covariance)
    given = open_images(tmp_path / "a.npz")
    assert isinstance(given, GivenStatistics) and given.covariance.dtype == np.float64
    np.testing.assert_array_equal(given.mean, mean)
    np.savez(tmp_path / "b.npz", mu=mean, sigma=covariance, arr_0=_IMAGES)
    assert open_images(tmp_path / "b.npz").count == 23


def test_a_broken_file_raises_or_is_left_out(folder, tmp_path, caplog):
    damaged = tmp_path / "images" / "a" / "00.png"
    damaged.write_bytes(damaged.read_bytes()[:60])  # A complete header.
    (tmp_path / "images" / "b" / "empty.png").touch()
    with pytest.raises(
        UserError, match=r"'b/empty.png' in .* cannot be read as an image: it is of"
    ):
        open_images(folder)
    (tmp_path / "images" / "b" / "empty.png").unlink()
    with pytest.raises(UserError, match=r"'a/00.png' in .* cannot be read as an image"):
        list(open_images(folder).batches(4))
    (tmp_path / "images" / "b" / "empty.png").touch()
    with caplog.at_level(logging.WARNING, "compare_gan"):
        opened = open_images(folder, on_error="skip")
    assert opened.count == 22 and len(_all(opened)[0]) == 22
    assert [text.split(":")[0] for text in opened.left_out] == ["a/00.png", "b/empty.png"]
    assert "'a/00.png' in" in caplog.text and "'b/empty.png' in" in caplog.text


def _npz(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda path: "nowhere/at all", "There is no file or folder 'nowhere/at all'"),
        (lambda path: "fashion_mnist10k", "is not a file, a folder or a data set. Did you mean "
         "the data set 'fashion_mnist_10k'?"),
        (lambda path: "fashion_mnist_10k:tran", "Unknown split of fashion_mnist_10k 'tran'. Did "
         "you mean 'train'?"),
        (lambda path: path, "holds no image (.png, "),
        (lambda path: _npz(path / "a.npz", x=_IMAGES), "must hold images (images, arr_0, samples) "
         "or mu and sigma; it holds x."),
        (lambda path: _npz(path / "a.npz", images=_IMAGES / 255), "must be uint8 [n, H, W, C], "
         "received float64 [23, 6, 5, 3]."),
        (lambda path: _npz(path / "a.npz", images=_IMAGES.transpose(0, 3, 1, 2)),
         "must have 1 or 3 channels on the last axis, received shape [23, 3, 6, 5]."),
        (lambda path: _npz(path / "a.npz", images=_IMAGES, labels=_LABELS[:4]),
         "must be integers [23], received int64 [4]."),
        (lambda path: _npz(path / "a.npz", images=np.array([None, "a"])),
         "holds Python objects, which are not read."),
        (lambda path: _npz(path / "a.npz", mu=np.zeros(3), sigma=np.eye(4)),
         "must be [f] and [f, f], received [3] and [4, 4]."),
        (lambda path: f"{_npz(path / 'a.npz', images=_IMAGES)}:test", "a.npz' 'test'. Known: all."),
    ),
)  # fmt: skip
def test_mistakes_are_reported(tmp_path, make, sentence):
    with pytest.raises(UserError) as error:
        open_images(make(tmp_path))
    assert sentence in str(error.value)


def test_a_file_that_is_not_an_archive_is_reported(tmp_path):
    for name in ("a.npz", "a.zip", "a.txt"):
        (tmp_path / name).write_text("text")
        with pytest.raises(UserError, match=r"cannot be read \(File is not a zip"):
            open_images(tmp_path / name)
