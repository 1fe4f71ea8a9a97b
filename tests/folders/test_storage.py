"""The files of folders and archives."""

import os
import threading
import zipfile

import pytest

from compare_gan.errors import UserError
from compare_gan.folders import find_images, open_storage


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


def test_hidden_and_foreign_files_are_left_out(tmp_path):
    _touch(tmp_path, "b/c/2.PNG", "a.jpeg", "notes.txt", ".cache/3.png", "b/._4.png",
           "__MACOSX/b/5.png", "b/.ipynb_checkpoints/6.png")  # fmt: skip
    storage = open_storage(str(tmp_path))
    assert storage.files == ("a.jpeg", "b/c/2.PNG", "notes.txt")
    assert (storage.folders, storage.hidden) == (("b", "b/c"), 4)
    assert storage.opener("b/c/2.PNG").read() == b"b/c/2.PNG"


def test_links_are_followed_but_not_in_circles(tmp_path):
    _touch(tmp_path, "set/a/1.png", "other/2.png")
    (tmp_path / "set/a/up").symlink_to(tmp_path / "set")
    (tmp_path / "set/b").symlink_to(tmp_path / "other")
    (tmp_path / "other/back").symlink_to(tmp_path / "other")
    assert open_storage(str(tmp_path / "set")).files == ("a/1.png", "b/2.png")


@pytest.mark.parametrize("table", (False, True))
def test_a_pipe_does_not_keep_a_command_waiting(tmp_path, table):
    """Fault: among the images is a named pipe, `x.png`, into which nobody writes.

    Command: any
    User sees: 'photos/x.png' is not a readable image: it is of no known format.
    Exit code: 2
    Lost: nothing; the command waited for ever
    """
    os.mkfifo(tmp_path / "x.png")
    (tmp_path / "a.csv").write_text("x.png\n")
    storage = find_images(str(tmp_path / "a.csv")).storage if table else open_storage(str(tmp_path))
    found = []

    def read():
        with storage.opener("x.png") as file:
            found.append(file.read())

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert found == [b""]


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    _touch(tmp_path, "a/1.png", "b/2.png")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("b"):  # The tests may run as root, who may read everything.
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"The folder '.*/b' cannot be read: Permission denied"):
        open_storage(str(tmp_path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_archive_of_windows(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        names = ("cat\\0.png", "cat\\.hidden\\1.png", "./dog/0.png", "__MACOSX/dog/._0.png",
                 "../out.png", "empty/", "dog/Thumbs.db", "cat\\0.png")  # fmt: skip
        for i, name in enumerate(names):
            info = zipfile.ZipInfo("x")
            info.filename = name
            archive.writestr(info, str(i))
    storage = open_storage(str(path))
    assert storage.files == ("cat/0.png", "dog/0.png", "dog/Thumbs.db", "out.png")
    assert storage.folders == ("cat", "dog", "empty")
    assert storage.hidden == 2
    assert storage.opener("cat/0.png").read() == b"7"  # The last one of a name, as unzip has it.
