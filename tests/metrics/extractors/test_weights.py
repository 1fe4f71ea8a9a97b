"""Sources of weights: the cache, or a download that is correct or leaves nothing behind."""

import hashlib
import os

import ml_dtypes
import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics.extractors import weights


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


@pytest.fixture
def published(tmp_path):
    source = tmp_path / "published.bin"
    source.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    return weights.WeightsFile("w.bin", source.as_uri(), digest[:8])


def test_a_download_is_kept(published, cache, tmp_path):
    assert weights.obtain(published) == str(cache / "w.bin")
    (tmp_path / "published.bin").unlink()
    path = weights.obtain(published)
    with open(path, "rb") as file:
        assert file.read() == b"weights"
    assert os.listdir(cache) == ["w.bin"]


def test_a_wrong_download_is_not_kept(published, cache, tmp_path):
    (tmp_path / "published.bin").write_bytes(b"other")
    with pytest.raises(UserError, match=r"'w.bin' cannot be downloaded .*its SHA-256 is .*, not "):
        weights.obtain(published)
    assert os.listdir(cache) == []


def test_without_network_the_message_names_the_file_and_its_folder(published, cache, tmp_path):
    (tmp_path / "published.bin").unlink()
    with pytest.raises(UserError, match=rf"No such file.*\): put it into {cache}\.$"):
        weights.obtain(published)
    cache.mkdir(parents=True, exist_ok=True)
    (cache / "w.bin").write_bytes(b"weights")
    assert weights.obtain(published) == str(cache / "w.bin")


def test_a_damaged_file_in_the_cache_is_named(published, cache):
    weights.obtain(published)
    (cache / "w.bin").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"w.bin' is damaged and must be removed: its SHA-256 "):
        weights.obtain(published)


def test_an_incomplete_download_is_not_kept(published, cache, monkeypatch):
    open_url = weights.urllib.request.urlopen

    def shortened(*args, **kwargs):
        answer = open_url(*args, **kwargs)
        answer.headers.replace_header("Content-Length", "100")
        return answer

    monkeypatch.setattr(weights.urllib.request, "urlopen", shortened)
    with pytest.raises(UserError, match="stopped after 7 of 100 bytes"):
        weights.obtain(published)
    assert os.listdir(cache) == []


def test_the_first_file_in_the_cache(cache):
    assert weights.cached_file(["a", "b"]) is None
    cache.mkdir(parents=True)
    (cache / "b").touch()
    assert weights.cached_file(["a", "b"]) == str(cache / "b")


def test_a_given_file_must_exist(tmp_path):
    with pytest.raises(UserError, match=r"inception.path: there is no file '.*missing'"):
        weights.given_file(str(tmp_path / "missing"), "inception.path")


def test_hashes_distinguish_arrays():
    x = np.arange(6, dtype=np.float32)
    hashes = {
        weights.arrays_hash(arrays)
        for arrays in ([x], [x.reshape(2, 3)], [x + 1], [x.astype(np.int32)], [x, x])
    }
    assert len(hashes) == 5
    assert weights.arrays_hash([x]) == weights.arrays_hash([np.repeat(x, 2)[::2]])


def test_the_stored_precision_does_not_change_the_hash():
    """A hash names what the network computes with.

    Fault: a file of weights is stored in another precision, and scores seem not to be comparable
    Command: metrics, eval, compare
    User sees: the same `extractor_hash`
    Exit code: 0
    Lost: nothing
    """
    x = np.arange(6, dtype=np.float32) / 4  # Exact in all types.
    types = (np.float16, np.float64, ">f4", ml_dtypes.bfloat16)
    hashes = {weights.arrays_hash([x.astype(dtype)]) for dtype in (np.float32, *types)}
    # That of float32 is as in earlier result rows.
    assert hashes == {"cbe38409532c16b1"}


def test_hash_of_a_folder(tmp_path):
    folder = tmp_path / "folder"
    (folder / "variables").mkdir(parents=True)
    (folder / "graph.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"numbers")
    first = weights.files_hash(str(folder))
    assert first == weights.files_hash(str(folder)) and len(first) == 16
    assert weights.files_hash(str(folder), lambda name: name == "data") != first
    (folder / "variables" / "data").write_bytes(b"others")
    assert weights.files_hash(str(folder)) != first
