import gzip
import os
import struct

import numpy as np
import pytest

from compare_gan.datasets import eval_batches, get_dataset
from compare_gan.datasets.idx import DEBIAN_FASHION_MNIST
from compare_gan.errors import UserError


def _write(folder, name, array, packed=True, magic=None):
    content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
    content = (magic or content[:4]) + content[4:]
    path = folder / (name + ".gz" if packed else name)
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.fixture(params=[True, False], ids=["gz", "plain"])
def folder(request, tmp_path):
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 20), ("t10k", 10)):
        images = rng.integers(0, 256, [count, 5, 4], np.uint8)
        labels = (np.arange(count) % 2).astype(np.uint8)
        _write(tmp_path, f"{prefix}-images-idx3-ubyte", images, request.param)
        _write(tmp_path, f"{prefix}-labels-idx1-ubyte", labels, request.param)
    return tmp_path


def _get(folder):
    return get_dataset(name="idx", data_dir=str(folder))


def test_both_splits_are_read(folder):
    dataset = _get(folder)
    assert dataset.image_shape == (5, 4, 1)
    assert dataset.splits == {"train": 20, "test": 10}
    assert (dataset.eval_split, dataset.num_classes, dataset.class_names) == ("test", 2, None)
    rng = np.random.default_rng(0)
    expected = rng.integers(0, 256, [20, 5, 4], np.uint8)
    ((images, labels),) = eval_batches(dataset, "train", 20)
    index = [int(np.flatnonzero((expected == x[..., 0]).all((1, 2)))[0]) for x in images]
    assert sorted(index) == list(range(20))
    np.testing.assert_array_equal(labels, np.array(index) % 2)


def test_without_test_files_training_images_are_the_reference(folder):
    for path in folder.glob("t10k*"):
        path.unlink()
    assert _get(folder).eval_split == "train"


def test_a_missing_file_is_reported(folder):
    next(folder.glob("t10k-labels*")).unlink()
    with pytest.raises(UserError, match=r"no file 't10k-labels-idx1-ubyte' \(or"):
        _get(folder)
    with pytest.raises(UserError, match="no file 'train-images-idx3-ubyte'"):
        _get(folder / "nowhere")


def test_another_format_is_reported(tmp_path, folder):
    _write(
        folder,
        "train-images-idx3-ubyte",
        np.zeros([20, 5, 4], np.uint8),
        False,
        b"\x00\x00\x0d\x03",
    )
    with pytest.raises(
        UserError, match=r"not an IDX file of bytes.*begins with 00000d03 instead of 00000803"
    ):
        _get(folder)


def test_a_truncated_file_is_reported(folder):
    path = _write(folder, "train-images-idx3-ubyte", np.zeros([20, 5, 4], np.uint8), False)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="declares 20x5x4 bytes, but 399 follow"):
        _get(folder)


def test_a_damaged_archive_is_reported(folder):
    for path in folder.glob("train-images*"):
        path.unlink()
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="cannot be read"):
        _get(folder)


def test_the_number_of_labels_must_be_that_of_the_images(folder):
    for path in folder.glob("train-labels*"):
        path.unlink()
    _write(folder, "train-labels-idx1-ubyte", np.zeros([19], np.uint8))
    with pytest.raises(UserError, match=r"holds 20 images, but .* 19 labels"):
        _get(folder)


def test_a_class_without_images_is_reported(folder):
    for path in folder.glob("train-labels*"):
        path.unlink()
    _write(folder, "train-labels-idx1-ubyte", np.full([20], 2, np.uint8))
    with pytest.raises(UserError, match="The class '0' has no images"):
        _get(folder)


@pytest.mark.skipif(not os.path.isdir(DEBIAN_FASHION_MNIST), reason="dataset-fashion-mnist absent")
class TestFashionMnist:
    def test_the_files_of_debian(self):
        dataset = get_dataset(name="fashion_mnist_idx")
        assert dataset.splits == {"train": 60_000, "test": 10_000}
        assert dataset.class_names[9] == "Ankle boot"
        assert np.bincount(dataset.shown_labels).tolist() == [6000] * 10

    def test_the_packaged_images_are_the_test_images(self):
        original = get_dataset(name="fashion_mnist_idx")
        packaged = get_dataset(name="fashion_mnist_10k")
        pairs = zip(
            eval_batches(original, "test", 2500), eval_batches(packaged, "train", 2500), strict=True
        )
        for (images, labels), (packaged_images, packaged_labels) in pairs:
            np.testing.assert_array_equal(images, packaged_images)
            np.testing.assert_array_equal(labels, packaged_labels)
