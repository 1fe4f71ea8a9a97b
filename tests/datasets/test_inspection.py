"""`compare_gan dataset`: what is understood of a set of images."""

import subprocess
import sys

import gin
import numpy as np
import pytest
from PIL import Image

from compare_gan import main as command_line
from compare_gan.datasets import DataOptions
from compare_gan.datasets.inspection import inspect_images
from compare_gan.errors import UserError
from compare_gan.folders import ClassChoice


def _save(path, level, size=(6, 5), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, level if mode == "L" else (level,) * len(mode)).save(path)


def _rows(found):
    """The lines of a report by their names."""
    rows, last = {}, ""
    for line in found.report().splitlines()[1:]:
        name, text = line[2:14].strip(), line[14:]
        last = name or last
        rows.setdefault(last, []).append(text)
    return rows


def test_a_report(tmp_path):
    for i, name in enumerate(("2", "10")):
        for split, count in (("Train", 3), ("val", 1)):
            for j in range(count):
                _save(tmp_path / split / name / f"{j}.png", 50 * i + 10 * j + len(split))
    _save(tmp_path / "Train" / "2" / "alpha.png", 99, (8, 12), "RGBA")
    _save(tmp_path / "Train" / "10" / "gray.bmp", 13, mode="L")
    _save(tmp_path / "Train" / "10" / "twice.png", 13)  # The same in colour.
    _save(tmp_path / "val" / "2" / "leak.png", 99, (8, 12), "RGBA")
    _save(tmp_path / ".hidden" / "0.png", 0)
    (tmp_path / "Train" / "2" / "broken.jpg").write_bytes(b"no image")
    (tmp_path / "Train" / "2" / "notes.txt").touch()
    rows = _rows(inspect_images(str(tmp_path)))
    assert rows["images"] == ["13"]
    assert rows["classes"] == ["2: train 5, val 2", "10: train 5, val 1"]
    assert rows["splits"] == ["train (10), val (3)"]
    assert rows["sizes"] == ["6x5 (10), 8x12 (2)"]
    assert rows["kinds"] == ["PNG RGB (9), PNG RGBA (2), BMP L (1)"]
    assert rows["alpha"] == ["2 images, composited over white"]
    assert rows["broken"] == ["Train/2/broken.jpg: it is of no known format"]
    assert rows["duplicates"] == [
        "Train/2/alpha.png = val/2/leak.png (of several splits)",
        "Train/10/gray.bmp = Train/10/twice.png",
    ]
    assert rows["left out"] == ["1 hidden", "1 other file (.txt)"]
    assert rows["training"] == ["refused: 1 of 13 images cannot be read"]


def test_one_transparent_image(tmp_path):
    Image.new("RGBA", (4, 4)).save(tmp_path / "0.png")
    assert "alpha       1 image, composited" in inspect_images(str(tmp_path)).report()


def test_the_same_image_in_two_classes(tmp_path):
    for name in ("a/0.png", "b/0.png", "b/1.png"):
        _save(tmp_path / name, 7)
    _save(tmp_path / "b" / "2.png", 7, (5, 6))
    rows = _rows(inspect_images(str(tmp_path)))
    assert rows["duplicates"] == ["a/0.png = b/0.png = b/1.png (of several classes)"]
    assert rows["training"] == [
        f'dataset.name = "image_folder"; dataset.data_dir = "{tmp_path}"; dataset.image_size = 4'
    ]


def test_why_nothing_can_be_trained(tmp_path):
    _save(tmp_path / "a" / "0.png", 7)
    (tmp_path / "empty").mkdir()
    rows = _rows(inspect_images(str(tmp_path)))
    assert rows["training"][0].startswith("refused: The class 'empty' has no images")


def test_arrays(tmp_path):
    images = np.zeros([4, 6, 5, 1], np.uint8)
    images[2:] = 7
    np.savez(tmp_path / "a.npz", images, np.array([0, 1, 1, -1]), class_names=["cat", "dog"])
    found = inspect_images(str(tmp_path / "a.npz"))
    rows = _rows(found)
    assert rows["classes"] == ["cat: 1", "dog: 2", "(no class): 1"]
    assert (rows["sizes"], rows["kinds"]) == (["5x6"], ["L"])
    assert rows["duplicates"] == [
        "image 0 = image 1 (of several classes)",
        "image 2 = image 3 (of several classes)",
    ]
    sheet, names = found.contact_sheet()
    assert names == ["(no class)", "cat", "dog"]
    assert [row.shape for row in sheet] == [(1, 32, 32, 3), (1, 32, 32, 3), (2, 32, 32, 3)]


@pytest.mark.parametrize("classes", (True, False))
def test_the_contact_sheet_shows_each_class(tmp_path, classes):
    for i in range(25):
        _save(tmp_path / (f"c{i % 2}/" if classes else "") / f"{i:02}.png", 10 * i, (40, 64))
    sheet, names = inspect_images(str(tmp_path)).contact_sheet()
    levels = [row[:, 0, 0, 0].tolist() for row in sheet]
    assert all(row.shape[1:] == (40, 40, 3) for row in sheet)
    if classes:
        assert names == ["c0", "c1"] and [len(row) for row in levels] == [10, 10]
        assert all(level % 20 == 10 * i for i, row in enumerate(levels) for level in row)
        assert [row[-1] for row in levels] == [240, 230]  # Spread over the class.
    else:
        assert names == [] and np.concatenate(levels).tolist() == list(range(0, 250, 10))


def test_many_faults_are_counted(tmp_path):
    for i in range(30):
        (tmp_path / f"{i:02}.png").touch()
    found = inspect_images(str(tmp_path))
    rows = _rows(found)
    assert len(rows["broken"]) == 11 and rows["broken"][-1] == "… and 20 more"
    assert rows["training"] == ["refused: no image can be read"]
    assert found.contact_sheet() == ([], [])


def test_the_command_needs_no_tensorflow(tmp_path):
    _save(tmp_path / "photos" / "cat" / "0.png", 7)
    code = (
        "import sys\nfrom compare_gan.main import main\n"
        "try:\n  main(['dataset', 'photos', '--out', 'new/sheet.png'])\n"
        "finally:\n  found = {'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)\n"
        "assert not found, found"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("photos\n  images      1\n  classes     cat: 1\n")
    assert done.stderr == "new/sheet.png\n"
    assert Image.open(tmp_path / "new" / "sheet.png").width > 32


def test_some_classes_are_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, count in (("cat", 2), ("dog", 3), ("owl", 1)):
        for i in range(count):
            _save(tmp_path / "photos" / name / f"{i}.png", 10 * count + i)
    command_line.main(["dataset", "photos", "--class", "owl", "--class", "dog"])
    report = capsys.readouterr().out
    assert "left out    1 other class (cat: 2)\n" in report and "images      4\n" in report
    assert report.endswith("; image_folder.classes = ['owl', 'dog']; dataset.image_size = 4\n")
    command_line.main(["dataset", "photos", "--min_images", "2"])
    report = capsys.readouterr().out
    assert "left out    1 class with fewer than 2 images (owl: 1)\n" in report
    assert report.endswith("; image_folder.min_images = 2; dataset.image_size = 4\n")


def test_some_classes_of_arrays_are_shown(tmp_path):
    images = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones([1, 6, 5, 1], np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.array([2, 0, 2, -1]))
    found = inspect_images(str(tmp_path / "a.npz"), choice=ClassChoice(("2",)))
    assert _rows(found)["classes"] == ["2: 2"]
    assert _rows(found)["left out"] == ["2 other classes (0: 1, 1: 0)", "1 image without a class"]
    assert [image.name for image in found.images] == ["image 0", "image 2"]
    assert found.read(1).max() == 2


def test_the_set_that_is_looked_at_stays_as_it_is(tmp_path, capsys, monkeypatch):
    _save(tmp_path / "photos" / "cat" / "0.png", 7)
    monkeypatch.chdir(tmp_path / "photos")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    np.savez(tmp_path / "a.npz", np.zeros([1, 8, 8, 3], np.uint8))
    before = (tmp_path / "a.npz").read_bytes()

    def run(*args):
        status = 0
        try:
            command_line.main(["dataset", *map(str, args)])
        except SystemExit as error:
            status = error.code
        return status, capsys.readouterr().err

    assert run(".") == (0, "")  # Without `--out` nothing is written.
    for source, out in (
        (".", "sheet.png"),
        (".", "cat/0.png"),
        ("cat", tmp_path / "link" / "cat" / "new" / "sheet.png"),
        (tmp_path / "a.npz", tmp_path / "a.npz"),
    ):
        status, text = run(source, "--out", out)
        assert status == 2
        assert text.startswith(f"Error: --out '{out}' would become part of the images in '{source}")
    for out in (tmp_path, "/dev/null/sheet.png"):
        looked = []
        monkeypatch.setattr("compare_gan.datasets.inspection.inspect_images", looked.append)
        assert run(".", "--out", out)[0] == 2 and not looked
    assert [str(path) for path in (tmp_path / "photos").rglob("*.png")] == [
        str(tmp_path / "photos" / "cat" / "0.png")
    ]
    assert (tmp_path / "a.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("size", "text"),
    (((8, 8), ""), ((28, 28), "; dataset.image_size = 32"), ((8, 16), "; dataset.image_size = 8"),
     ((24, 24), "; dataset.image_size = 16")),
)  # fmt: skip
def test_a_size_that_all_architectures_take(tmp_path, size, text):
    _save(tmp_path / "0.png", 7, size)
    [line] = _rows(inspect_images(str(tmp_path)))["training"]
    assert line == f'dataset.name = "image_folder"; dataset.data_dir = "{tmp_path}"{text}'


def test_the_suggested_config_can_be_read(tmp_path, monkeypatch):
    name = 'my "best" \\n photos, 犬'
    _save(tmp_path / name / "0.png", 7)
    monkeypatch.chdir(tmp_path)
    [line] = _rows(inspect_images(name))["training"]
    gin.parse_config(line.replace("; ", "\n"))
    assert DataOptions.from_gin().dataset.data_dir == name


def test_mistakes_of_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _save(tmp_path / "photos" / "cat" / "0.png", 7)
    for args, sentence in (
        (["nothing"], "Error: There is no file or folder 'nothing'.\n"),
        ([str(tmp_path), "--background", "whitish"], "Error: background must be the name of a"),
        (["photos", "--class", "cta"], "Error: 'photos' has no class 'cta'. Did you mean 'cat'?"),
    ):
        with pytest.raises(SystemExit) as error:
            command_line.main(["dataset", *args])
        assert error.value.code == 2
        assert capsys.readouterr().err.startswith(sentence)


def test_one_split_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _save(tmp_path / "photos" / "train" / "cat" / "0.png", 7)
    _save(tmp_path / "photos" / "train" / "dog" / "0.png", 8)
    _save(tmp_path / "photos" / "test" / "cat" / "0.png", 9)
    found = inspect_images("photos:test")
    assert [image.name for image in found.images] == ["test/cat/0.png"]
    assert found.report().startswith("photos:test\n")
    assert _rows(found)["classes"] == ["cat: test 1", "dog: test 0"]
    assert _rows(found)["training"] == ["reads all splits: look at 'photos'"]
    assert inspect_images("photos:all").report() == inspect_images("photos").report()
    np.savez("a.npz", np.zeros([1, 8, 8, 3], np.uint8))
    assert len(inspect_images("a.npz:all").images) == 1
    for path in ("photos:tset", "a.npz:train"):
        with pytest.raises(UserError, match=f"Unknown split of '{path.split(':')[0]}'"):
            inspect_images(path)


@pytest.mark.parametrize(
    ("source", "sentence"),
    (
        ("good", None),
        ("mixed", "A training would refuse 'mixed': 'mixed/' holds both subfolders"),
        ("mixed --min_images 1", "Classes cannot be chosen: 'mixed' has no classes"),
        ("broken", "A training would refuse 'broken': 1 of 2 images cannot be read."),
        ("good:all", "--check is for all that a training reads: name 'good', no split."),
    ),
)
def test_the_exit_status_shows_to_scripts_that_a_training_would_refuse_the_images(
    tmp_path, monkeypatch, capsys, source, sentence
):
    monkeypatch.chdir(tmp_path)
    for path in ("good/cat/0.png", "mixed/cat/0.png", "mixed/1.png", "broken/0.png"):
        _save(tmp_path / path, 7)
    (tmp_path / "broken" / "1.png").touch()
    if sentence is None:
        command_line.main(["dataset", *source.split(), "--check"])
    else:
        with pytest.raises(SystemExit) as error:
            command_line.main(["dataset", *source.split(), "--check"])
        assert error.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"Error: {sentence}" if sentence else "")
    if source in ("good", "mixed", "broken"):
        assert printed.out.startswith(source)
        command_line.main(["dataset", source])  # Without the option the status is 0.
