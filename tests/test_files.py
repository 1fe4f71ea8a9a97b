"""Whole files or none, hashes."""

import hashlib
import os

import numpy as np
import pytest

from compare_gan import files


def test_texts_replace_files_and_create_folders(tmp_path):
    folder = tmp_path / "a" / "b"
    for content in ("one", "twö\r\n"):
        files.write_text(str(folder / "name.txt"), content)
        assert [path.name for path in folder.iterdir()] == ["name.txt"]
        assert (folder / "name.txt").read_bytes() == content.encode()
        assert files.read_text(str(folder / "name.txt")) == content
    assert files.read_text(str(folder / "absent")) == ""


def test_json_comes_back(tmp_path):
    value = {"version": 1, "values": [1.5, None, "é"]}
    files.write_json(str(tmp_path / "a.json"), value)
    assert files.read_json(str(tmp_path / "a.json")) == value


@pytest.mark.parametrize("durable", (True, False))
def test_an_exception_leaves_the_old_file(tmp_path, durable):
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt), files.atomic(str(path), durable=durable) as temporary:
        assert os.path.dirname(temporary) == str(tmp_path)
        with open(temporary, "w") as file:
            file.write("half")
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["a.txt"] and path.read_text() == "before"


def test_temporary_names_are_hidden_and_without_the_ending_that_readers_look_for(tmp_path):
    for name, keep_ending in (("a.png", False), ("a.keras", True)):
        path = str(tmp_path / name)
        with files.atomic(path, keep_ending=keep_ending) as temporary:
            assert os.path.basename(temporary).startswith(f".{name}.")
            assert temporary.endswith(".keras" if keep_ending else ".tmp")
            open(temporary, "w").close()


def test_an_exception_removes_the_new_folders(tmp_path):
    with pytest.raises(ValueError), files.atomic(str(tmp_path / "a/b/c")) as temporary:
        os.mkdir(temporary)
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_a_folder_is_written_whole(tmp_path):
    for name in ("new", "empty"):
        if name == "empty":
            (tmp_path / name).mkdir()
        with files.atomic(str(tmp_path / name)) as temporary:
            os.makedirs(os.path.join(temporary, "inner"))
            with open(os.path.join(temporary, "inner", "a"), "w") as file:
                file.write("text")
            assert not os.path.exists(tmp_path / name / "inner")
        assert (tmp_path / name / "inner" / "a").read_text() == "text"
    assert sorted(os.listdir(tmp_path)) == ["empty", "new"]


def test_digests_are_those_of_the_bytes(tmp_path):
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    (tmp_path / "a").write_bytes(b"content")
    expected = hashlib.sha256("é".encode() + b"b" + array.T.tobytes() + b"content").hexdigest()
    with open(tmp_path / "a", "rb") as file:
        running = files.Digest("é", b"b")
        running.add(array.T, file)
    assert running.hex() == running.raw().hex() == expected
    assert files.file_digest(str(tmp_path / "a")) == files.digest("content")


def test_the_cache_folder(monkeypatch):
    monkeypatch.delenv("COMPARE_GAN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert files.cache_dir() == "/somewhere/compare_gan"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert files.cache_dir() == os.path.expanduser("~/.cache/compare_gan")
    monkeypatch.setenv("COMPARE_GAN_CACHE", "/elsewhere")
    assert files.cache_dir() == "/elsewhere"
