"""Single images: file names, pixels, and the threads that write them."""

import dataclasses
import itertools
import os
import threading
import time

import numpy as np
import pytest
from PIL import Image

from compare_gan.errors import UserError
from compare_gan.sampling import Sampler, writing


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(writing, "BATCH_SIZE", 4)


def _read(folder):
    return np.stack([np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))])[
        ..., None
    ]


def test_images_are_those_of_the_sampler_and_classes_take_turns(sampler, tmp_path):
    folder = tmp_path / "new" / "images"
    sampler = dataclasses.replace(sampler, truncation=0.5)
    assert writing.write_images(sampler, str(folder), 10, seed=1) == str(folder)
    names = [f"{i:06}_{i % 3}.png" for i in range(10)]
    assert sorted(os.listdir(folder)) == [*names, "classes.json"]
    assert sampler.network.traces == 1
    images, _ = sampler.sample(10, seed=1, batch_size=4)
    assert len(np.unique(images, axis=0)) == 10  # Otherwise their order would not be tested.
    np.testing.assert_array_equal(_read(folder), images)


def test_images_of_one_class_or_none(sampler, unconditional, tmp_path):
    writing.write_images(sampler, str(tmp_path / "a"), 2, classes=[1])
    assert sorted(os.listdir(tmp_path / "a")) == ["000000_1.png", "000001_1.png", "classes.json"]
    writing.write_images(unconditional, str(tmp_path / "b"), 2)
    assert sorted(os.listdir(tmp_path / "b")) == ["000000.png", "000001.png"]


def test_a_file_of_arrays_holds_the_same(sampler, unconditional, tmp_path):
    path = tmp_path / "new" / "samples.npz"
    writing.write_images(sampler, str(path), 10, seed=1)
    images, labels = sampler.sample(10, seed=1, batch_size=4)
    with np.load(path, allow_pickle=False) as file:
        assert sorted(file.files) == ["arr_0", "class_names", "labels"]
        assert file["class_names"].tolist() == ["dark", "middle", "bright"]
        assert file["arr_0"].dtype == np.uint8 and file["labels"].dtype == np.int32
        np.testing.assert_array_equal(file["arr_0"], images)
        np.testing.assert_array_equal(file["labels"], labels)
    writing.write_images(unconditional, str(path), 3)  # Replaces the file.
    with np.load(path) as file:
        assert file.files == ["arr_0"] and file["arr_0"].shape == (3, 8, 8, 1)
    assert os.listdir(path.parent) == ["samples.npz"]


def test_a_folder_with_images_that_would_be_left_is_refused(sampler, tmp_path):
    folder = str(tmp_path)
    writing.write_images(sampler, folder, 6)
    (tmp_path / "grid.png").touch()
    writing.write_images(sampler, folder, 6, seed=1)
    for options, left in (
        (dict(num=5), "1 images .*000005_2"),
        (dict(num=6, classes=[1]), "4 images"),
    ):
        with pytest.raises(UserError, match=f"holds {left}.* delete them or choose another --out"):
            writing.write_images(sampler, folder, **options)
    assert len(os.listdir(folder)) == 8
    writing.write_images(sampler, folder, 7)
    with pytest.raises(UserError, match="is a folder"):
        (tmp_path / "a.npz").mkdir()
        writing.write_images(sampler, str(tmp_path / "a.npz"), 1)


@pytest.mark.parametrize(
    ("name", "message"), (("a.npz", "'{}' was not written"), ("a", "not all 8 images are in '{}'"))
)
def test_an_interruption_names_the_remaining_files(sampler, tmp_path, monkeypatch, name, message):
    def interrupted(*args):
        yield np.zeros([4, 8, 8, 1], np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(Sampler, "generate_batches", interrupted)
    path = tmp_path / name
    with pytest.raises(KeyboardInterrupt, match=message.format(path)):
        writing.write_images(sampler, str(path), 8)
    assert not path.is_file() and not (tmp_path / f"{name}.tmp").exists()


def _batches(drawn, sizes):
    for size in sizes:
        drawn.append(size)
        yield np.full([size], len(drawn))


@pytest.mark.parametrize("threads", (1, 3))
def test_generation_runs_only_a_little_ahead_of_a_slow_writer(threads):
    drawn, written, release, sizes = [], {}, threading.Event(), [2] * 10 + [1]

    def write(start, images):
        release.wait(300)
        written[start] = images

    counts = []
    thread = threading.Thread(
        target=lambda: counts.extend(writing.write_behind(_batches(drawn, sizes), write, threads))
    )
    thread.start()
    most = threads + 2 + 1  # Queued or being written, and one that waits for room in the queue.
    deadline = time.monotonic() + 300
    while len(drawn) < most and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(drawn) == most and not written
    release.set()
    thread.join(300)
    assert counts == sizes
    assert {start: images[0] for start, images in written.items()} == {
        2 * i: i + 1 for i in range(11)
    }


def test_one_thread_writes_in_order():
    starts = []
    for _ in writing.write_behind(_batches([], [3] * 20), lambda i, _: starts.append(i), 1):
        pass
    assert starts == list(range(0, 60, 3))


@pytest.mark.parametrize("threads", (1, 4))
def test_an_error_of_a_writer_ends_the_generation(threads):
    def write(start, images):
        if start == 6:
            raise OSError("no space")

    drawn = []
    with pytest.raises(OSError, match="no space"):
        # Infinite: only the error ends it.
        list(writing.write_behind(_batches(drawn, itertools.repeat(2)), write, threads))
    assert 4 <= len(drawn) <= 4 + threads + 2


def test_a_file_of_arrays_may_end_in_capitals(unconditional, tmp_path):
    path = writing.write_images(unconditional, str(tmp_path / "a.NPZ"), 3)
    with np.load(path) as file:
        assert len(file["arr_0"]) == 3
