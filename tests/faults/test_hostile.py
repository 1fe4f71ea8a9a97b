"""Run directories, working directories and names of files that somebody else made.

The docstring of a test is a row of the table in docs/faults.md.
"""

import gzip
import io
import json
import os
import pathlib
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib

import eager
import numpy as np
import pytest
from PIL import Image

import compare_gan
from compare_gan import config
from compare_gan.config import gin_internals
from compare_gan.errors import UserError

_ROOT = pathlib.Path(compare_gan.__file__).parents[1]
_EVIL = "import pathlib\npathlib.Path('executed').touch()\n"


@pytest.fixture(name="run")
def _run(run_command, monkeypatch, tmp_path):
    """Runs a command in an empty working directory; returns exit status, output and errors."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return run_command


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory, tiny_run, simple_steps):
    """A trained tiny run."""
    from compare_gan.training import modes
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir

    path = tmp_path_factory.mktemp("run")
    config.parse([], [*tiny_run, *simple_steps, "options.training_steps = 1"])
    with eager.eagerly():
        modes.run("train", Experiment.from_gin(), RunDir(str(path)), modes.EvaluationPlan())
    return path


@pytest.fixture(name="hostile")
def _hostile(trained):
    """`hostile(line)`: the run directory with a line in front of its config."""
    path = trained / "config.gin"
    text = path.read_text()

    def make(line):
        path.write_text(f"{line}\n{text}")
        return trained

    yield make
    path.write_text(text)


def _is_one_sentence(err):
    return err.startswith("Error: ") and err.count("\n") == 1 and "Traceback" not in err


# Imports.


@pytest.mark.parametrize("command", ("sample", "eval", "export"))
def test_a_run_that_imports_from_the_working_directory(command, run, hostile):
    """Fault: the config of a run directory imports a module that lies in the working directory.

    Command: sample, eval, export
    User sees: 'evil' is not installed; the config of a run directory may not run a module of the
        working directory unless --allow_imports evil names it.
    Exit code: 2
    Lost: nothing; the module is not executed
    """
    pathlib.Path("evil_of_a_test.py").write_text(_EVIL)
    path = hostile("import evil_of_a_test")
    more = ("--out", "model.keras") if command == "export" else ()
    status, _, err = run(command, "--model_dir", path, *more)
    assert (status, os.path.exists("executed")) == (2, False)
    assert _is_one_sentence(err)
    assert "config.gin, line 1: 'evil_of_a_test' is not installed" in err
    assert "--allow_imports evil_of_a_test" in err
    assert "evil_of_a_test" not in sys.modules


def test_a_run_may_import_what_the_user_allows(run, hostile, monkeypatch):
    for name in ("mine_of_a_test", "mine_of_a_test.part", "mine_of_a_test.loss"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    package = pathlib.Path("mine_of_a_test")
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text(_EVIL)
    path = hostile("import mine_of_a_test.part")
    status, out, err = run(
        "sample", "--model_dir", path, "--out", "grid.png", "--allow_imports", "mine_of_a_test"
    )
    assert (status, out, os.path.exists("executed")) == (0, "grid.png\n", True), err
    # The whole name of another module is needed, not its beginning.
    path = hostile("import mine_of_a_test2")
    pathlib.Path("mine_of_a_test2.py").write_text(_EVIL)
    args = ("sample", "--model_dir", path, "--allow_imports", "mine_of_a_test")
    assert run(*args)[0] == 2


def test_a_run_that_imports_by_a_file_that_it_includes(run, hostile):
    """Fault: the config of a run directory includes a gin file that imports a module.

    Command: sample
    User sees: 'evil' is not installed; the config of a run directory may not run a module of …
    Exit code: 2
    Lost: nothing; the module is not executed
    """
    pathlib.Path("more_evil_of_a_test.py").write_text(_EVIL)
    path = hostile("include 'more.gin'")
    (path / "more.gin").write_text("import more_evil_of_a_test\n")
    status, _, err = run("sample", "--model_dir", path)
    assert (status, os.path.exists("executed")) == (2, False)
    assert _is_one_sentence(err) and "'more_evil_of_a_test' is not installed" in err


def test_a_run_that_calls_any_function(run, hostile):
    """Fault: the config of a run directory registers and calls a function such as os.system.

    Command: sample
    User sees: '__gin__.dynamic_registration' lets a config call any function: the config of a run
        directory may use it only with --allow_imports __gin__.
    Exit code: 2
    Lost: nothing; the function is not called
    """
    path = hostile(
        "from __gin__ import dynamic_registration\nimport os\n"
        "os.system.command = 'touch executed'\nloss.fn = @os.system()"
    )
    status, _, err = run("sample", "--model_dir", path)
    assert (status, os.path.exists("executed")) == (2, False)
    assert _is_one_sentence(err) and "lets a config call any function" in err


def test_an_installed_module_of_a_run_finds_nothing_in_the_working_directory(
    tmp_path, monkeypatch, hostile, run
):
    """Fault: an installed module that a run imports tries an optional one, which a stranger made.

    Command: sample
    User sees: the images; the optional module is not found
    Exit code: 0
    Lost: nothing; the stranger's module is not executed
    """
    (tmp_path / "installed_of_a_test.py").write_text(
        "try:\n    import optional_of_a_test\nexcept ImportError:\n    optional_of_a_test = None\n"
    )
    monkeypatch.setattr(sys, "path", [os.getcwd(), "", *sys.path, str(tmp_path)])
    before = list(sys.path)
    pathlib.Path("optional_of_a_test.py").write_text(_EVIL)
    path = hostile("import installed_of_a_test")
    status, _, err = run("sample", "--model_dir", path, "--out", "grid.png")
    assert (status, os.path.exists("executed")) == (0, False), err
    assert sys.modules["installed_of_a_test"].optional_of_a_test is None
    assert sys.path == before


def test_a_module_that_the_program_has_imported_may_be_named(monkeypatch, trained, hostile, run):
    monkeypatch.setitem(sys.modules, "known_of_a_test", sys)
    path = hostile("import known_of_a_test")
    assert compare_gan.load_generator(str(path)).z_dim == 4
    hostile("import unknown_of_a_test")
    with pytest.raises(UserError, match="No module named 'unknown_of_a_test'"):
        compare_gan.load_generator(str(path))
    pathlib.Path("unknown_of_a_test.py").write_text(_EVIL)
    with pytest.raises(UserError, match="'unknown_of_a_test' is not installed"):
        compare_gan.load_generator(str(path))
    sampler = compare_gan.load_generator(str(path), allow_imports=["unknown_of_a_test"])
    assert sampler.z_dim == 4 and os.path.exists("executed")


def test_the_working_directory_comes_last_and_only_for_a_config_that_imports(run, monkeypatch):
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(_ROOT))])
    pathlib.Path("queue.py").write_text("raise SystemExit('taken')\n")
    pathlib.Path("own_of_a_test.py").write_text("import queue\nqueue.Queue\n")
    pathlib.Path("a.gin").write_text("options.z_dim = 3\n")
    config.parse(["a.gin"])
    assert os.getcwd() not in sys.path
    pathlib.Path("a.gin").write_text("import own_of_a_test\n")
    config.parse(["a.gin"])
    assert sys.path[-1] == os.getcwd() and sys.path.count(os.getcwd()) == 1
    assert gin_internals.gin_config.ParseContext.process_import.__module__ == "gin.config"


def test_modules_of_the_working_directory_that_are_called_as_pythons(tmp_path):
    """Fault: the working directory has a queue.py, click.py, numbers.py of something else.

    Command: python -m compare_gan.main configs
    User sees: the list of configs
    Exit code: 0
    Lost: nothing; the files are not executed
    """
    for name in ("queue", "click", "logging", "tempfile", "difflib", "numbers", "tqdm"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n")
    done = subprocess.run(
        [sys.executable, "-m", "compare_gan.main", "configs"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "s3gan_fashion_mnist" in done.stdout


# Characters that command a terminal.

_COMMAND = "\x1b]0;owned\x07\x1b[2J"


def test_names_that_command_the_terminal(run):
    r"""Fault: the name of a broken image contains escape sequences for the terminal.

    Command: metrics
    User sees: the name with \x1b in place of the character
    Exit code: 2
    Lost: nothing
    """
    folder = pathlib.Path(f"images{_COMMAND}")
    folder.mkdir()
    (folder / f"a{_COMMAND}\n.png").write_bytes(b"no image")
    status, _, err = run("metrics", "--fake", folder, "--metrics", "vendi")
    assert status == 2 and _is_one_sentence(err)
    assert r"a\x1b]0;owned\x07\x1b[2J\n.png" in err and err.strip().isprintable()


def test_log_lines_and_arguments_that_command_the_terminal(run):
    r"""Fault: the name of an image that is left out, or of an option, contains escape sequences.

    Command: metrics --on_error skip
    User sees: the name with \x1b in place of the character
    Exit code: 2
    Lost: nothing
    """
    folder = pathlib.Path("images")
    folder.mkdir()
    (folder / f"a{_COMMAND}.png").write_bytes(b"no image")
    args = ("metrics", "--fake", folder, "--metrics", "vendi", "--on_error", "skip")
    status, _, err = run(*args)
    lines = err.splitlines()
    assert (status, len(lines)) == (2, 2)
    assert r"'a\x1b]0;owned\x07\x1b[2J.png' in 'images' is left out" in lines[0]
    assert all(line.isprintable() for line in lines)
    status, _, err = run("metrics", f"--{_COMMAND}")
    assert status == 2 and all(line.isprintable() for line in err.splitlines())


def test_class_names_that_command_the_terminal(run, trained):
    r"""Fault: the class names in the model.json of somebody's run contain escape sequences.

    Command: sample --class
    User sees: the known classes, with \x1b in place of the character
    Exit code: 2
    Lost: nothing
    """
    path = trained / "model.json"
    text = path.read_text()
    content = json.loads(text)
    names = [f"{_COMMAND}{i}" for i in range(content["num_classes"])]
    path.write_text(json.dumps(content | {"class_names": names}))
    try:
        status, _, err = run("sample", "--model_dir", trained, "--class", "cat")
    finally:
        path.write_text(text)
    assert status == 2 and _is_one_sentence(err)
    assert r"\x1b]0;owned\x07\x1b[2J1" in err and err.strip().isprintable()


def test_scores_that_command_the_terminal(run, tmp_path):
    r"""Fault: somebody's file of scores contains escape sequences in the names of scores.

    Command: compare
    User sees: the table, with \x1b in place of the character
    Exit code: 0
    Lost: nothing
    """
    np.savez("a.npz", images=np.arange(8 * 48).reshape(8, 4, 4, 3).astype(np.uint8))
    args = ("--metrics", "vendi", "--extractor", "fashion_cnn", "--output", "scores.json")
    assert run("metrics", "--fake", "a.npz", *args)[0] == 0
    text = pathlib.Path("scores.json").read_text()
    assert "vendi" in text
    escaped = json.dumps(_COMMAND)[1:-1]
    pathlib.Path("scores.json").write_text(text.replace("vendi", f"vendi{escaped}"))
    status, out, err = run("compare", "scores.json")
    assert status == 0, err
    assert r"\x1b]0;owned\x07" in out and "\x1b" not in out and "\x07" not in out


# Files that hold, or declare that they hold, more than fits.


def _forged_zip(path, name, content, declared=None, stored=False):
    """A zip archive with an entry whose size in the directory is another one."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
        archive.filelist[0].file_size = declared or len(content)
        if stored and declared:
            archive.filelist[0].compress_size = declared


def _npy(shape, dtype="|u1", data=b""):
    """A file of an array whose header declares a shape, whatever the data."""
    file = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue() + data


def _png(width, height):
    """A PNG file that declares a size, without its pixels."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"")
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _refused(run, name, reason):
    status, _, err = run("metrics", "--fake", name, "--metrics", "vendi")
    assert status == 2 and _is_one_sentence(err), err
    assert pathlib.Path(name).name in err and reason in err


def test_an_npz_that_is_a_bomb(run):
    """Fault: an .npz of 1.5 MB unpacks to 1.4 GB.

    Command: metrics
    User sees: 'images.npy' in 'a.npz' is refused as a decompression bomb: it takes 1.4 MiB and
        declares 1.304 GiB.
    Exit code: 2
    Lost: nothing; nothing is unpacked
    """
    _forged_zip("a.npz", "images.npy", os.urandom(1_500_000), declared=1_400_000_000)
    _refused(run, "a.npz", "as a decompression bomb: it takes 1.431 MiB and declares 1.304 GiB")
    assert os.listdir() == ["a.npz"]


@pytest.mark.parametrize("stored", (True, False))
def test_an_npz_that_declares_more_images_than_it_holds(run, stored):
    """Fault: the header of an array in an .npz declares more numbers than follow.

    Command: metrics
    User sees: 'images' of 'a.npz' is refused: uint8 [1000000, 1000, 1000, 3] takes … bytes, but
        there are 133.
    Exit code: 2
    Lost: nothing
    """
    _forged_zip("a.npz", "images.npy", _npy((10**6, 10**3, 10**3, 3), data=b"12345"), stored=stored)
    _refused(run, "a.npz", "takes 3,000,000,000,128 bytes, but there are 133")


def test_an_npz_whose_directory_declares_more_than_the_file_holds(run):
    """Fault: the directory of an .npz declares an entry longer than the file, or a cut one.

    Command: metrics
    User sees: 'a.npz' is refused: it declares more than it holds (…).
    Exit code: 2
    Lost: nothing
    """
    content = _npy((10, 8, 8, 3), data=bytes(1920))
    _forged_zip("a.npz", "images.npy", content, declared=10**9, stored=True)
    _refused(run, "a.npz", "declares more than it holds")


def test_a_damaged_npz_is_named(run):
    """Fault: some bytes of a compressed .npz are damaged, or it is encrypted.

    Command: metrics
    User sees: 'images.npy' in 'a.npz' cannot be read: …
    Exit code: 2
    Lost: nothing
    """
    images = np.random.RandomState(0).randint(0, 9, [50, 8, 8, 3]).astype(np.uint8)
    np.savez_compressed("a.npz", images=images)
    content = bytearray(pathlib.Path("a.npz").read_bytes())
    damaged = content.copy()
    damaged[200:300] = bytes(100)
    pathlib.Path("a.npz").write_bytes(damaged)
    _refused(run, "a.npz", "cannot be read: ")
    place = content.index(b"PK\x01\x02") + 8  # The flags in the directory.
    content[place] |= 1
    pathlib.Path("a.npz").write_bytes(content)
    _refused(run, "a.npz", "is encrypted")


def test_statistics_that_declare_more_than_they_hold(run):
    """Fault: sigma in an .npz of statistics declares a matrix of a million rows.

    Command: metrics
    User sees: 'sigma' of 'a.npz' is refused: …
    Exit code: 2
    Lost: nothing
    """
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("mu.npy", _npy((2,), "<f8", bytes(16)))
        archive.writestr("sigma.npy", _npy((10**6, 10**6), "<f8", bytes(32)))
    _refused(run, "a.npz", "'sigma' of 'a.npz' is refused")


def test_a_zip_of_images_that_is_a_bomb(run):
    """Fault: an entry of a zip of images unpacks to gigabytes.

    Command: metrics
    User sees: 'a.png' in 'a.zip' is refused as a decompression bomb: …
    Exit code: 2
    Lost: nothing; nothing is unpacked
    """
    _forged_zip("a.zip", "a.png", bytes(3_000_000), declared=3 * 2**30)
    _refused(run, "a.zip", "'a.png' in 'a.zip' is refused as a decompression bomb")


def test_a_zip_whose_entries_overlap(run):
    """Fault: many entries of a zip are the same bytes, so that it unpacks to gigabytes.

    Command: metrics
    User sees: 'a.zip' is refused: it declares more than it holds (…).
    Exit code: 2
    Lost: nothing
    """
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.writestr("0.png", os.urandom(20_000))
        for i in range(1, 40):
            copy = zipfile.ZipInfo(f"{i}.png")
            kept = archive.filelist[0]
            copy.header_offset, copy.CRC = kept.header_offset, kept.CRC
            copy.file_size, copy.compress_size = kept.file_size, kept.compress_size
            archive.filelist.append(copy)
    _refused(run, "a.zip", "it declares more than it holds (")


@pytest.mark.parametrize("size", ((100_000, 100_000), (10_000, 9_000)))
def test_an_image_that_declares_too_many_pixels(run, size):
    """Fault: an image declares 100,000 x 100,000 pixels.

    Command: metrics (folder and zip), train (folder)
    User sees: 'a.png' in 'images' cannot be read as an image: it declares more than 89,478,485
        pixels.
    Exit code: 2
    Lost: nothing; no pixel is decoded
    """
    folder = pathlib.Path("images")
    folder.mkdir()
    (folder / "a.png").write_bytes(_png(*size))
    with zipfile.ZipFile("a.zip", "w") as archive:
        archive.write(folder / "a.png", "a.png")
    _refused(run, "images", "'a.png' in 'images' cannot be read as an image: it declares more than")
    _refused(run, "a.zip", "'a.png' in 'a.zip' cannot be read as an image: it declares more than")
    options = ('dataset.name = "image_folder"', 'dataset.data_dir = "images"')
    flags = [part for option in options for part in ("--gin_bindings", option)]
    status, _, err = run("train", "--dry-run", "--gin_config", "s3gan_fashion_mnist", *flags)
    assert status == 2 and _is_one_sentence(err), err
    assert "'images/a.png' is not a readable image: it declares more than 89,478,485 pix" in err


def test_a_program_that_is_called_an_image(run, tmp_path, monkeypatch):
    """Fault: a PostScript program is called a.png; Pillow would start Ghostscript for it.

    Command: metrics
    User sees: 'a.png' in 'images' cannot be read as an image: it is of no known format.
    Exit code: 2
    Lost: nothing; Ghostscript is not started
    """
    folder = pathlib.Path("images")
    folder.mkdir()
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (folder / "a.png").write_bytes(program)
    assert Image.open(folder / "a.png").format == "EPS"
    _refused(run, "images", "it is of no known format")


def test_idx_files_that_declare_too_much(run):
    """Fault: an IDX file declares 4 billion images, or is a decompression bomb.

    Command: train with dataset.name = "fashion_mnist"
    User sees: 'train-images-idx3-ubyte.gz' is refused as a decompression bomb: …
    Exit code: 2
    Lost: nothing; nothing is unpacked
    """
    from compare_gan.datasets.idx import read_idx

    header = struct.pack(">HBB", 0, 8, 3)
    for name in ("a.gz", "a"):
        content = header + struct.pack(">III", 2**32 - 1, 28, 28) + bytes(100)
        pathlib.Path(name).write_bytes(gzip.compress(content) if name == "a.gz" else content)
        with pytest.raises(UserError, match=rf"^'{name}' is refused as a decompression bomb: it t"):
            read_idx(name, 3)
        content = header + struct.pack(">III", 10, 28, 28) + bytes(100)
        pathlib.Path(name).write_bytes(gzip.compress(content) if name == "a.gz" else content)
        with pytest.raises(UserError, match=rf"'{name}' declares 10x28x28 bytes, but 100 follow"):
            read_idx(name, 3)


@pytest.mark.parametrize("kind", ("gz", "bz2", "xz"))
def test_a_tar_that_is_a_bomb(run, monkeypatch, kind):
    """Fault: the .tar.gz of a module or of Inception's graph unpacks to gigabytes.

    Command: import-weights, metrics
    User sees: 'a.tar.gz' is refused as a decompression bomb: …
    Exit code: 2
    Lost: nothing; nothing is left in the temporary folder
    """
    from compare_gan import unpacking
    from compare_gan.metrics.extractors.inception_2015 import GRAPH, load_inception_2015

    monkeypatch.setattr(unpacking, "_ALWAYS", 2**20)
    for i, place in enumerate(("first", GRAPH)):  # The bomb, or a file after it, is wanted.
        with tarfile.open(f"{i}.tar.gz", f"w:{kind}") as archive:
            for name in (place, GRAPH, "saved_model.pb"):
                member = tarfile.TarInfo(name)
                member.size = 2**22
                archive.addfile(member, io.BytesIO(bytes(2**22)))
        status, _, err = run("import-weights", f"{i}.tar.gz", "--model_dir", "imported")
        assert status == 2 and _is_one_sentence(err), err
        assert f"'{i}.tar.gz' is refused as a decompression bomb: it takes" in err
        with pytest.raises(UserError, match=r"is not the Inception of 2015: .* decompression"):
            load_inception_2015(f"{i}.tar.gz")
    assert not os.path.exists("imported")


def test_files_of_pytorch_that_declare_too_much(run):
    """Fault: a file of weights declares more numbers than it holds.

    Command: metrics with the extractor inception
    User sees: 'a.pth' is damaged or not a PyTorch file: it does not contain 1000000000000 numbers
    Exit code: 2
    Lost: nothing
    """
    import pickle

    from compare_gan.metrics.extractors.torch_file import read_torch_tensors

    def legacy(count):
        def text(value):
            return b"X" + struct.pack("<I", len(value)) + value.encode()

        storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
        storage += pickle.dumps(count, 2)[2:-1] + b"NtQ"
        tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00K\x01\x85K\x01\x85"
        tensor += b"\x89}tR"
        parts = [0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}]
        start = b"".join(pickle.dumps(part, 2) for part in parts)
        tensors = b"\x80\x02}" + text("a") + tensor + b"s."
        return start + tensors + pickle.dumps(["0"], 2) + struct.pack("<q", count) + bytes(4)

    pathlib.Path("a.pth").write_bytes(legacy(1))
    assert read_torch_tensors("a.pth")["a"].tolist() == [0.0]
    pathlib.Path("a.pth").write_bytes(legacy(10**12))
    with pytest.raises(
        UserError, match=r"'a\.pth' is damaged .* not contain 1000000000000 numbers"
    ):
        read_torch_tensors("a.pth")
    with zipfile.ZipFile("a.pth", "w") as archive:
        archive.writestr("a/data.pkl", b"}.")
        archive.writestr("a/data/0", b"1234")
        archive.filelist[1].compress_size = archive.filelist[1].file_size = 10**12
    with pytest.raises(UserError, match=r"'a\.pth' is refused: it declares more than it holds"):
        read_torch_tensors("a.pth")


def test_a_keras_file_that_is_a_bomb(run):
    """Fault: the weights in a .keras file unpack to gigabytes.

    Command: metrics with the extractor keras_model
    User sees: keras_model.path: 'a.keras' cannot be loaded: 'model.weights.h5' in 'a.keras' is
        refused as a decompression bomb: …
    Exit code: 2
    Lost: nothing
    """
    from compare_gan.metrics.extractors import KerasModel

    _forged_zip("a.keras", "model.weights.h5", bytes(5_000_000), declared=5 * 2**30)
    with pytest.raises(UserError, match=r"'model\.weights\.h5' in 'a\.keras' is refused as a"):
        KerasModel("a.keras")


def test_a_checkpoint_that_declares_more_than_it_holds(run, tmp_path):
    """Fault: the index of a checkpoint declares a variable of 40 TB.

    Command: sample
    User sees: Checkpoint 'step-1' is damaged (index.json declares more than there is).
    Exit code: 2
    Lost: nothing
    """
    from compare_gan.engine import checkpoint_files as ckpt

    path = str(tmp_path / "step-1")
    os.mkdir(path)
    ckpt.write_arrays(f"{path}/arrays-0.npz", {"a": np.zeros(2, np.float32)})
    parts = [ckpt.Part("arrays-0.npz", "a", (0,), (2,))]
    parts.append(ckpt.Part("arrays-0.npz", "b", (2,), (10**13,)))
    ckpt.write_index(path, 1, {"a": ckpt.Entry("float32", (10**13 + 2,), tuple(parts))})
    with (
        ckpt.CheckpointReader(path) as reader,
        pytest.raises(ckpt.DamagedCheckpointError, match=r"index\.json declares more than th"),
    ):
        reader.read("a")


def test_cached_statistics_that_declare_more_than_they_hold(run, caplog):
    """Fault: a file of cached statistics declares a matrix of a million rows.

    Command: metrics, eval
    User sees: Recomputing the cached statistics …, which are damaged: …
    Exit code: 0
    Lost: nothing
    """
    from compare_gan.array_cache import cached

    arrays = {"mean": np.ones(2)}
    assert cached({"a": 1}, lambda: arrays) == arrays
    (path,) = pathlib.Path(os.environ["COMPARE_GAN_CACHE"]).iterdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("key.npy", _npy((2,), "<f8", bytes(16)))
        archive.writestr("mean.npy", _npy((10**7, 10**7), "<f8", bytes(32)))
    assert cached({"a": 1}, lambda: arrays) == arrays
    assert "which are damaged: 'mean' of" in caplog.text


def test_inferred_labels_that_declare_more_than_they_hold(run):
    """Fault: the labels.npz of somebody's label folder declares a trillion labels.

    Command: train with infer_labels.label_dir
    User sees: 'hard' of 'labels.npz' is refused: int32 [1000000000000] takes … bytes, but …
    Exit code: 2
    Lost: nothing
    """
    from compare_gan.labels.files import read_arrays

    _forged_zip("labels.npz", "hard.npy", _npy((10**12,), "<i4", bytes(32)))
    with pytest.raises(UserError, match=r"'hard' of 'labels\.npz' is refused: int32 \[1000"):
        read_arrays("labels.npz")


# Messages.


@pytest.mark.parametrize(
    ("content", "sentence"),
    (
        ("options.z_dim = (1,\n", "ends within brackets or a string."),
        ("options.z_dim = '''1", "ends within brackets or a string."),
        (
            "options.z_dim = " + "[" * 3000 + "]" * 3000,
            "includes itself, or has too many brackets.",
        ),
        ("include 'a.gin'", "includes itself, or has too many brackets."),
        (b"options.z_dim = '\xff'", "is not a text in UTF-8."),
        ("options.z_dim = 1\n  a = 3\n b = 4", "line 3: The config cannot be read: unindent does"),
        ("options.z_dim = \0", "line 1: The config cannot be read: Unable to parse value."),
    ),
)
def test_a_gin_file_that_is_no_gin_file(run, content, sentence):
    """Fault: the gin file ends within brackets, includes itself, or is no text.

    Command: train
    User sees: 'a.gin' ends within brackets or a string.
    Exit code: 2
    Lost: nothing
    """
    content = content if isinstance(content, bytes) else content.encode()
    pathlib.Path("a.gin").write_bytes(content)
    status, _, err = run("train", "--dry-run", "--gin_config", "a.gin")
    assert status == 2 and _is_one_sentence(err), err
    assert "a.gin" in err and sentence in err


def test_a_binding_that_is_no_binding(run):
    for binding in ("options.z_dim = (1,", "options.z_dim = " + "(" * 3000):
        status, _, err = run("train", "--dry-run", "--gin_bindings", binding)
        assert status == 2 and _is_one_sentence(err), err
        assert err.startswith("Error: --gin_bindings: The config cannot be read: ")


@pytest.fixture(name="folder")
def _folder(run, tiny_run):
    """Arguments to train on the folder `images`."""
    for i in range(32):
        path = pathlib.Path("images", "ab"[i % 2], f"{i:02}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.RandomState(i).randint(0, 256, [8, 8, 3])
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    bindings = [each for each in tiny_run if not each.startswith(("dataset.", "synthetic."))]
    bindings += ["dataset.name = 'image_folder'", "dataset.data_dir = 'images'"]
    return [part for binding in bindings for part in ("--gin_bindings", binding)]


@pytest.mark.parametrize("limit", (2**30, 0))
def test_a_cut_image_is_named_in_training(run, folder, monkeypatch, limit):
    """Fault: an image of the training data is cut in the middle, its header is whole.

    Command: train, with data in memory and with data that is decoded when it is needed
    User sees: 'images/a/12.png' cannot be decoded: image file is truncated
    Exit code: 2
    Lost: steps since the last checkpoint
    """
    from compare_gan.datasets import sources

    monkeypatch.setattr(sources, "MEMORY_LIMIT", limit)
    path = pathlib.Path("images/a/12.png")
    path.write_bytes(path.read_bytes()[:120])
    status, _, err = run("train", "--schedule", "train", "--model_dir", "run", *folder)
    *said, err = err.splitlines(keepends=True)
    assert said[0] == "'images': 32 images, 2 classes (a: 16, b: 16).\n"
    # Large data sets are cached on disk.
    assert len(said) == 1 if limit else "decodes them into" in said[1]
    assert status == 2 and _is_one_sentence(err), err
    assert err.startswith("Error: 'images/a/12.png' cannot be decoded: ")
    assert "{{" not in err and "Iterator" not in err


def test_an_image_that_is_cut_later_is_named(run, folder, monkeypatch):
    """Fault: an image is cut while it is used, of data that is decoded when it is needed.

    Command: train, eval
    User sees: 'images/a/12.png' cannot be decoded: image file is truncated
    Exit code: 2
    Lost: nothing
    """
    from compare_gan.datasets import eval_batches, get_dataset, sources, train_batches

    monkeypatch.setattr(sources, "MEMORY_LIMIT", 0)
    path = pathlib.Path("images/a/12.png")
    path.write_bytes(path.read_bytes()[:120])
    dataset = get_dataset(name="image_folder", data_dir="images")
    batches = train_batches(dataset, batch_size=8, disc_iters=1, z_dim=2, seed=0).take(9)
    with (
        pytest.raises(UserError, match=r"images/a/12\.png' cannot be decoded: image file is"),
        dataset.source.broken_files_named(),
    ):
        list(batches)
    relabelled = get_dataset(name="image_folder", data_dir="images", labels="single")
    batches = train_batches(relabelled, batch_size=8, disc_iters=1, z_dim=2, seed=0).take(9)
    with (
        pytest.raises(UserError, match=r"images/a/12\.png' cannot be decoded: image file is"),
        relabelled.source.broken_files_named(),
    ):
        list(batches)
    with pytest.raises(UserError, match=r"images/a/12\.png' cannot be decoded: image file is"):
        list(eval_batches(dataset, "train", 8))


def test_a_file_that_cannot_be_written_is_named(run, trained):
    """Fault: the path to write to is below a file, or is a folder.

    Command: export, sample
    User sees: 'file/model' cannot be made: 'file' is a file, not a folder.
    Exit code: 2; 1 if it is a folder
    Lost: nothing
    """
    pathlib.Path("file").write_text("")
    for command, name in (("export", "model"), ("sample", "grid.png")):
        status, _, err = run(command, "--model_dir", trained, "--out", f"file/{name}")
        assert status == 2 and _is_one_sentence(err), err
        assert f"'file/{name}' cannot be made: " in err and ".tmp" not in err and "{{" not in err
    os.mkdir("grid.png")
    status, _, err = run("sample", "--model_dir", trained, "--out", "grid.png")
    assert (status, err) == (1, "Error: Is a directory: grid.png.\n")


def test_errors_that_gin_adds_lines_to(run, monkeypatch):
    """Fault: a file cannot be read by a part that gin has configured.

    Command: any
    User sees: [Errno 13] Permission denied: 'a.bin'.
    Exit code: 1
    Lost: nothing
    """
    import gin

    from compare_gan.commands import listing

    @gin.configurable("reader_of_a_test")
    def read(path=None):
        raise PermissionError(13, "Permission denied", "a\x1b.bin")

    monkeypatch.setattr(listing.configs, "callback", read)
    status, _, err = run("configs")
    assert (status, err.count("\n")) == (1, 1)
    assert err.startswith("Error: ") and "Permission denied" in err and r"a\x1b.bin" in err
    assert "In call to configurable" not in err
