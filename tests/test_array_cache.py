"""The cache of statistics: keys, damage, atomic writes."""

import os

import numpy as np
import pytest

from compare_gan import array_cache as cache

_KEY = {"dataset": "fashion mnist/10k", "statistics": "gaussian-1", "count": 10}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(folder))
    return folder


class Computation:
    def __init__(self, value=1.5):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return {"mean": np.array([self.value, np.pi]), "count": np.array(3)}


def test_cached_statistics_are_found(folder):
    first, second = Computation(), Computation(9.0)
    computed = cache.cached(_KEY, first)
    found = cache.cached(dict(reversed(_KEY.items())), second)
    assert (first.calls, second.calls) == (1, 0)
    assert set(found) == set(computed) == {"mean", "count"}
    np.testing.assert_array_equal(found["mean"], [1.5, np.pi])
    (name,) = os.listdir(folder)
    assert name.startswith("fashion-mnist-10k_gaussian-1_") and name.endswith(".npz")


def test_images_are_not_cached(folder):
    arrays = cache.cached(_KEY, lambda: {"images": np.zeros([2, 4, 4, 1]), "features": np.ones(2)})
    assert set(arrays) == {"images", "features"} and not folder.exists()


@pytest.mark.parametrize("changed", _KEY)
def test_every_entry_of_the_key_matters(changed):
    cache.cached(_KEY, Computation())
    other = Computation(2.0)
    assert cache.cached(_KEY | {changed: "other"}, other)["mean"][0] == 2.0
    assert other.calls == 1


def _cut(content):
    return content[: len(content) // 2]


def _flip(content):
    place = content.index(np.float64(np.pi).tobytes())
    return content[:place] + b"\0" + content[place + 1 :]


@pytest.mark.parametrize("damage", [_cut, _flip, lambda content: b"", lambda content: b"x" * 99])
def test_a_damaged_file_is_recomputed_with_a_warning(folder, damage, caplog):
    cache.cached(_KEY, Computation())
    (name,) = os.listdir(folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(damage(content))
    with caplog.at_level("WARNING", logger="compare_gan"):
        again = Computation(4.0)
        assert cache.cached(_KEY, again)["mean"][0] == 4.0
    assert again.calls == 1
    assert "damaged" in caplog.text
    assert cache.cached(_KEY, Computation(5.0))["mean"][0] == 4.0


def test_a_file_with_another_key_is_not_used(folder):
    cache.cached(_KEY, Computation())
    (name,) = os.listdir(folder)
    cache.cached(_KEY | {"count": 11}, Computation(2.0))
    (other,) = set(os.listdir(folder)) - {name}
    os.replace(folder / name, folder / other)
    assert cache.cached(_KEY | {"count": 11}, Computation(3.0))["mean"][0] == 3.0


def test_a_folder_that_cannot_be_written_only_costs_time(folder, caplog):
    folder.write_text("a file where the folder should be")
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert cache.cached(_KEY, Computation())["mean"][0] == 1.5
    assert "cannot be cached" in caplog.text


def test_an_interrupted_computation_leaves_nothing(folder):
    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached(_KEY, fail)
    assert not folder.exists() or os.listdir(folder) == []
