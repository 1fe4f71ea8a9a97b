"""The cache on disk of decoded images: the same pixels, whatever happens to it."""

import concurrent.futures
import errno
import os
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from compare_gan.datasets import eval_batches, get_dataset, image_cache, image_source, sources
from compare_gan.datasets import train_batches as make_train_batches

_COUNT = 12


@pytest.fixture(name="folder", autouse=True)
def _folder(tmp_path, monkeypatch, caplog):
    """A folder of images that are too many for memory; an empty cache."""
    caplog.set_level("INFO", "compare_gan")
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "MEMORY_LIMIT", 0)
    for i in range(_COUNT):
        path = tmp_path / "images" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, [5, 4, 3], np.uint8)
        Image.fromarray(pixels).save(path)
    return tmp_path / "images"


@pytest.fixture(name="decoded")
def _decoded(monkeypatch):
    """The names of files, as they are decoded."""
    names = []
    read = image_source.Preparation.read

    def noting(self, file):
        names.append(file.name)
        return read(self, file)

    monkeypatch.setattr(image_source.Preparation, "read", noting)
    return names


def _images(folder, **options):
    dataset = get_dataset("image_folder", data_dir=str(folder), **options)
    return np.concatenate([images for images, _ in eval_batches(dataset, "train", 5)])


def _cached(tmp_path):
    return sorted((tmp_path / "cache" / "images").iterdir())


def test_each_image_is_decoded_once(folder, decoded, tmp_path, caplog):
    expected = _images(folder, cache=False)
    assert len(decoded) == _COUNT and not (tmp_path / "cache").exists()
    for _ in range(2):  # A second process would find the same file.
        np.testing.assert_array_equal(_images(folder), expected)
    assert len(decoded) == 2 * _COUNT
    [path] = _cached(tmp_path)
    assert path.stat().st_size == _COUNT * (5 * 4 * 3 + 4)
    assert f"The first pass over the images decodes them into '{path}'" in caplog.text


def test_training_reads_the_cache(folder, decoded):
    expected = {image.tobytes() for image in _images(folder)}
    dataset = get_dataset("image_folder", data_dir=str(folder))
    batches = make_train_batches(dataset, batch_size=6, disc_iters=1, z_dim=2, seed=0)
    images = next(batches.as_numpy_iterator())["images"].reshape(-1, 5, 4, 3)
    assert {image.tobytes() for image in images} == expected
    assert len(decoded) == _COUNT


def test_folders_of_one_name_are_cached_apart(tmp_path, monkeypatch, decoded):
    """Two projects have `photos` in their working directories: equal names, sizes and times."""
    for project, level in (("A", 10), ("B", 200)):
        (tmp_path / project / "photos").mkdir(parents=True)
        for i in range(2):
            path = tmp_path / project / "photos" / f"{i}.ppm"
            Image.new("RGB", (4, 5), (level,) * 3).save(path)
            os.utime(path, (1, 1))
    for project, level in (("A", 10), ("B", 200), ("A", 10)):
        monkeypatch.chdir(tmp_path / project)
        assert (_images("photos") == level).all()
    assert len(decoded) == 4 and len(_cached(tmp_path)) == 2
    _images(tmp_path / "A" / "photos")  # Another path of the same folder.
    (tmp_path / "link").symlink_to(tmp_path / "A" / "photos")
    _images(tmp_path / "link")
    assert len(decoded) == 4
    # A link to a file is the file that it leads to.
    (tmp_path / "links").mkdir()
    for project, level in (("A", 10), ("B", 200)):
        link = tmp_path / "links" / "0.ppm"
        link.unlink(missing_ok=True)
        link.symlink_to(tmp_path / project / "photos" / "0.ppm")
        assert (_images(tmp_path / "links") == level).all()


def test_another_decoder_makes_other_images(folder, tmp_path, monkeypatch):
    _images(folder)
    monkeypatch.setattr(image_source, "_DECODER", ("99.0", "99.0"))
    _images(folder)
    assert len(_cached(tmp_path)) == 2


def test_images_are_read_without_threads_while_the_process_ends(folder, monkeypatch):
    expected = _images(folder, cache=False)
    pool = concurrent.futures.ThreadPoolExecutor(1)
    pool.shutdown()
    monkeypatch.setattr(image_source, "_threads", lambda: pool)
    np.testing.assert_array_equal(_images(folder), expected)


def test_an_error_while_an_image_is_read_makes_no_black_image(folder, monkeypatch):
    def fail(self, file):
        raise RuntimeError("the camera is closed after shutdown")

    monkeypatch.setattr(image_source.Preparation, "read", fail)
    with pytest.raises(Exception, match="the camera is closed after shutdown"):
        _images(folder)
    dataset = get_dataset("image_folder", data_dir=str(folder))
    batches = make_train_batches(dataset, batch_size=6, disc_iters=1, z_dim=2, seed=0)
    with pytest.raises(Exception, match="the camera is closed after shutdown"):
        next(batches.as_numpy_iterator())


def test_a_zip_archive_is_cached_too(folder, decoded, tmp_path):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    expected = _images(folder)
    for _ in range(2):
        np.testing.assert_array_equal(_images(path), expected)
    assert len(decoded) == 2 * _COUNT and len(_cached(tmp_path)) == 2


def test_a_changed_file_is_decoded_anew(folder, decoded, tmp_path):
    before = _images(folder)
    path = folder / "a" / "0.png"
    Image.new("RGB", (4, 5), "red").save(path)
    after = _images(folder)
    changed = (before != after).any((1, 2, 3))
    assert changed.sum() == 1 and (after[changed] == (255, 0, 0)).all()
    os.utime(path, ns=(1, 1))
    _images(folder)
    assert len(_cached(tmp_path)) == 3


def test_images_that_are_made_otherwise_are_other_images(folder, tmp_path):
    for number, options in enumerate(
        (dict(), dict(channels=1), dict(image_size=4), dict(image_size=4, crop="none"),
         dict(image_size=4, resample="box"), dict(background="black")), 1
    ):  # fmt: skip
        _images(folder, **options)
        assert len(_cached(tmp_path)) == number


def test_a_damaged_cache_only_costs_time(folder, decoded, tmp_path):
    expected = _images(folder)
    [path] = _cached(tmp_path)
    content = bytearray(path.read_bytes())
    content[10] ^= 1
    path.write_bytes(content[:-30])
    np.testing.assert_array_equal(_images(folder), expected)
    assert len(decoded) == _COUNT + 2


def test_a_full_disk_only_costs_time(folder, decoded, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    expected = _images(folder, cache=False)
    np.testing.assert_array_equal(_images(folder), expected)
    assert caplog.text.count("No more decoded images are cached: the disk is full.") == 1


def test_checkpoints_keep_room(folder, decoded, monkeypatch, tmp_path, caplog):
    room = shutil.disk_usage(tmp_path)._replace(free=_COUNT * 64)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: room)
    for _ in range(2):
        _images(folder)
    assert len(decoded) == 2 * _COUNT and not _cached(tmp_path)
    assert "Decoded images are not cached, which would take" in caplog.text


def test_a_cache_that_cannot_be_written_only_costs_time(folder, decoded, tmp_path, caplog):
    (tmp_path / "cache").write_text("")
    assert len(_images(folder)) == _COUNT
    assert "Decoded images are not cached in" in caplog.text


def test_caches_that_nobody_uses_are_removed(folder, tmp_path):
    _images(folder)
    [old] = _cached(tmp_path)
    os.utime(old, (0, 0))
    _images(folder, channels=1)
    assert old not in _cached(tmp_path) and len(_cached(tmp_path)) == 1


def test_caches_that_cannot_be_removed_cost_nothing(folder, decoded, tmp_path):
    """A folder of a user, and a cache that another process removes at the same moment."""
    _images(folder)
    [cache] = _cached(tmp_path)
    (cache.parent / "old").mkdir()
    (cache.parent / "gone").symlink_to("nowhere")
    os.utime(cache.parent / "old", (0, 0))
    _images(folder)
    assert len(decoded) == _COUNT


def test_a_cache_that_is_used_stays(folder, decoded, tmp_path, monkeypatch):
    _images(folder)
    [path] = _cached(tmp_path)
    os.utime(path, (path.stat().st_mtime - image_cache._KEPT_SECONDS / 2,) * 2)
    before = path.stat().st_mtime
    _images(folder)
    assert path.stat().st_mtime > before and len(decoded) == _COUNT
