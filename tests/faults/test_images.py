"""Image files as users have them: transparent, turned, oddly named, in archives and arrays.

The docstring of a test is a row of the table in docs/faults.md.
"""

import io
import json
import os
import pathlib
import pwd
import sys
import zipfile

import gin
import numpy as np
import pytest
from PIL import Image, ImageDraw

from compare_gan import config, files
from compare_gan.datasets import eval_batches, get_dataset, sources, train_batches
from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import open_images
from compare_gan.output import safe_output

_RNG = np.random.default_rng(0)
_SCORES = ("--extractor", "fashion_cnn", "--metrics", "fid")


@pytest.fixture(name="run", autouse=True)
def _run(run_command, monkeypatch, tmp_path):
    """Runs a command in an empty working directory; returns exit status, output and errors."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return run_command


def _icon(i):
    """A disc with soft edges; under the transparent rest there are other colours."""
    pixels = _RNG.integers(0, 256, (28, 28, 4), dtype=np.uint8)
    large = Image.new("L", (112, 112))
    ImageDraw.Draw(large).ellipse((10, 10, 60 + i, 100 - i), fill=230)
    pixels[..., 3] = np.asarray(large.resize((28, 28), Image.Resampling.BOX))
    return Image.fromarray(pixels)


def _save_icons(count=40):
    """Icons as RGBA, and the same on white and on black."""
    for i in range(count):
        icon = _icon(i)
        for name in ("icons", "white", "black"):
            os.makedirs(f"{name}/all", exist_ok=True)
            path = f"{name}/all/{i:02}.png"
            if name == "icons":
                icon.save(path)
                continue
            canvas = Image.new("RGB", icon.size, name)
            canvas.paste(icon, mask=icon)
            canvas.save(path)


def _pixels(images):
    return np.concatenate([batch.images for batch in images.batches(16)])


def _trained_on(folder, **options):
    """The images that training sees, in the order of evaluation, and their dataset."""
    dataset = get_dataset("image_folder", data_dir=folder, **options)
    return np.concatenate([images for images, _ in eval_batches(dataset, "train", 16)]), dataset


def _sorted(images):
    return np.array(sorted(images.reshape(len(images), -1).tolist()))


def test_transparent_images_against_the_same_on_white(run):
    """Fault: images are transparent; under the alpha channel there are colours nobody sees.

    Command: metrics
    User sees: 40 of 40 images in 'icons' have an alpha channel or a transparent colour: they are
      composited over white (the option `background`). The result says `"background": "white"`.
    Exit code: 0
    Lost: nothing: the FID against the same images on white is 0
    """
    _save_icons()
    for background in ("white", "black"):
        status, out, err = run(
            "metrics", "--real", background, "--fake", "icons", *_SCORES, "--background", background
        )
        result = json.loads(out)
        assert status == 0 and abs(result["scores"]["fid_fashion_cnn"]) < 1e-9
        assert result["protocol"]["background"] == background
        assert result["fake_hash"] == result["protocol"]["dataset_hash"]
        assert "40 of 40 images in 'icons' have an alpha channel" in err
        assert f"composited over {background} (the option `background`)." in err
    status, out, _ = run("metrics", "--real", "white", "--fake", "white", *_SCORES)
    assert json.loads(out)["protocol"]["background"] == "none"
    status, _, err = run("metrics", "--real", "white", "--fake", "icons", "--background", "whitish")
    assert status == 2 and "background must be the name of a colour" in err and "'whitish'" in err


@pytest.mark.parametrize("limit", [0, 2**30], ids=["decoded when needed", "in memory"])
def test_training_sees_transparent_images_as_metrics_does(limit, monkeypatch):
    """Fault: as above.

    Command: train
    User sees: the same sentence
    Exit code: 0
    Lost: nothing: training sees the pixels that `metrics` compares
    """
    _save_icons(8)
    monkeypatch.setattr(sources, "MEMORY_LIMIT", limit)
    for background in ("white", "black"):
        seen, dataset = _trained_on("icons", background=background)
        scored = open_images("icons", background=background)
        np.testing.assert_array_equal(_sorted(seen), _sorted(_pixels(scored)))
        np.testing.assert_array_equal(_sorted(seen), _sorted(_pixels(open_images(background))))
        assert dataset.source.background == scored.background == background


@pytest.mark.parametrize("limit", [0, 2**30], ids=["decoded when needed", "in memory"])
def test_files_have_the_same_pixels_in_training_and_metrics(limit, monkeypatch, run):
    """Fault: JPEG files, whose pixels depend on the decoder, are scored against themselves.

    Command: metrics, train
    User sees: an FID of 0; gray images, palettes, CMYK and turned photographs among them are read
      by one rule in both
    Exit code: 0
    Lost: nothing
    """
    os.makedirs("photos/all")
    for i in range(24):
        pixels = _RNG.integers(0, 256, (7, 7, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((28, 28), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[274] = i % 8 + 1
        image.convert(("RGB", "L", "CMYK")[i % 3]).save(f"photos/all/{i:02}.jpg", exif=exif)
    image.quantize(9).save("photos/all/palette.gif")
    Image.fromarray(_RNG.integers(0, 2**16, (28, 28)).astype(np.uint16)).save("photos/all/16.png")
    monkeypatch.setattr(sources, "MEMORY_LIMIT", limit)
    seen, _ = _trained_on("photos")
    np.testing.assert_array_equal(_sorted(seen), _sorted(_pixels(open_images("photos"))))
    options = "dataset.data_dir = 'photos'"
    status, out, err = run(
        "metrics", "--real", "image_folder:train", "--fake", "photos", *_SCORES,
        "--gin_bindings", options,
    )  # fmt: skip
    assert status == 0 and abs(json.loads(out)["scores"]["fid_fashion_cnn"]) < 1e-9
    assert "9 of 26 images in 'photos' are gray: they are converted to colour." in err


def test_names_that_are_not_utf_8(run, monkeypatch):
    r"""Fault: names of folders and images are not UTF-8 (from an old system or archive).

    Command: metrics, train
    User sees: the scores; in JSON each such byte is an escape, `caf\udce9`
    Exit code: 0
    Lost: nothing
    """
    for folder in (b"set\xff/caf\xe9", b"set\xff/dog"):
        os.makedirs(folder)
        for i in range(8):
            image = Image.fromarray(_RNG.integers(0, 256, (28, 28, 3), dtype=np.uint8))
            image.save(os.fsdecode(folder + b"/%d\xff.png" % i))  # Pillow 10 takes no bytes.
    place = os.fsdecode(b"set\xff")
    status, out, _ = run("metrics", "--real", place, "--fake", place, *_SCORES, "--output", "a")
    assert status == 0 and out.isascii()
    for text in (out, pathlib.Path("a").read_text(encoding="utf-8")):
        assert json.loads(text)["real"] == place
    for limit in (0, 2**30):
        monkeypatch.setattr(sources, "MEMORY_LIMIT", limit)
        dataset = get_dataset("image_folder", data_dir=place)
        assert dataset.class_names == (os.fsdecode(b"caf\xe9"), "dog")
        config.parse([], [f'dataset.data_dir = "{place}"'])
        assert gin.query_parameter("dataset.data_dir") == place
        assert "\\udcff" in config.config_text()
        batches = train_batches(dataset, batch_size=4, disc_iters=1, z_dim=2, seed=0)
        assert next(batches.as_numpy_iterator())["images"].shape == (2, 4, 28, 28, 3)


def test_names_in_an_ascii_locale(monkeypatch):
    """Fault: the locale is ASCII (`LC_ALL=C`), and names of folders are not.

    Command: any
    User sees: output in UTF-8
    Exit code: 0
    Lost: nothing
    """
    stream = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    with safe_output():
        print("S³GAN")
    assert stream.buffer.getvalue().decode() == "S³GAN\n"
    name = "café".encode().decode("ascii", "surrogateescape")  # As Python then has it.
    assert json.loads(files.json_text({"real": name})) == {"real": "café"}


def test_archives_with_the_separators_of_windows(run):
    r"""Fault: the paths in a zip archive have backslashes (`cat\000.png`), or endings in capitals.

    Command: metrics
    User sees: the classes cat and dog
    Exit code: 0
    Lost: nothing
    """
    Image.new("RGB", (4, 4), "red").save("a.png")
    Image.new("RGB", (4, 4), "blue").save("b.jpg")
    with zipfile.ZipFile("IMAGES.ZIP", "w") as archive:
        for name, path in (("cat\\000.png", "a.png"), ("cat\\001.JPG.", "b.jpg"),
                           ("dog\\002.jfif", "b.jpg")):  # fmt: skip
            archive.write(path, name)
    opened = open_images("IMAGES.ZIP")
    assert opened.class_names == ("cat", "dog") and opened.count == 3
    [batch] = opened.batches(4)
    assert batch.labels.tolist() == [0, 0, 1] and (batch.images[0] == (255, 0, 0)).all()


def test_an_array_of_one_image(run):
    """Fault: an .npz holds one image `[32, 32, 3]` instead of a set of them.

    Command: metrics
    User sees: The images of 'one.npz' have the shape [32, 32, 3], which is that of one image: give
      [1, 32, 32, 3] for one image, or [32, 32, 3, 1] for 32 gray ones.
    Exit code: 2
    Lost: nothing
    """
    for shape in ((32, 32, 3), (32, 32, 4), (32, 32, 1)):
        np.savez("one.npz", np.zeros(shape, np.uint8))
        status, _, err = run("metrics", "--real", "one.npz", "--fake", "one.npz")
        assert status == 2 and "which is that of one image" in err
    np.savez("one.npz", np.zeros((1, 32, 32, 3), np.uint8))
    assert open_images("one.npz").count == 1
    np.savez("gray.npz", np.zeros((5, 32, 32), np.uint8))
    assert open_images("gray.npz").shape == (32, 32, 1)


def test_labels_without_a_name_in_an_array_file(run):
    """Fault: an .npz was written by `numpy.savez(path, images, labels)`, without names.

    Command: metrics
    User sees: the labels are used; anything else in their place is refused
    Exit code: 0
    Lost: nothing
    """
    images, labels = np.zeros((4, 8, 8, 3), np.uint8), np.array([0, 2, 2, 1])
    np.savez("ALL.NPZ", images, labels)
    os.rename("ALL.NPZ.npz", "ALL.NPZ")
    opened = open_images("ALL.NPZ")
    assert opened.has_labels and opened.num_classes == 3
    assert np.concatenate([b.labels for b in opened.batches(9)]).tolist() == labels.tolist()
    np.savez("two.npz", images, images)
    with pytest.raises(UserError, match=r"labels of 'two\.npz' must be integers \[4\]"):
        open_images("two.npz")


def test_statistics_that_are_not_real_numbers(run):
    """Fault: sigma of another program is complex, or is not finite.

    Command: metrics
    User sees: sigma of 'stats.npz' must hold real numbers, received complex128.
    Exit code: 2
    Lost: nothing
    """
    good = dict(mu=np.zeros(4), sigma=np.eye(4))
    for changed, text in (
        (dict(sigma=np.eye(4) * 1j), "sigma of 'stats.npz' must hold real numbers, received compl"),
        (dict(mu=np.array(["a"] * 4)), "mu of 'stats.npz' must hold real numbers, received <U1"),
        (dict(mu=np.full(4, np.nan)), "mu of 'stats.npz' holds numbers that are not finite"),
    ):
        np.savez("stats.npz", **good | changed)
        status, _, err = run("metrics", "--real", "stats.npz", "--fake", "stats.npz")
        assert status == 2 and text in err


def test_a_user_without_a_home(run, monkeypatch):
    """Fault: HOME is not set, and the system does not know the user (in a container).

    Command: any
    User sees: nothing; caches go to the temporary directory
    Exit code: 0
    Lost: nothing
    """

    def unknown(number):
        raise KeyError(number)

    for name in ("HOME", "XDG_CACHE_HOME", "COMPARE_GAN_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    files._temporary_cache.cache_clear()
    monkeypatch.setattr("tempfile.tempdir", os.getcwd())
    expected = os.path.join(os.getcwd(), f"cache-{os.getuid()}")
    assert files.cache_dir() == os.path.join(expected, "compare_gan")
    assert os.stat(expected).st_mode & 0o777 == 0o700
    metrics = ("--metrics", "inception_score", "--extractor", "fashion_cnn", "--num_fake", 100)
    status, _, _ = run("metrics", "--fake", "fashion_mnist_10k", *metrics)
    assert status == 0 and "~" not in "".join(os.listdir())
    files._temporary_cache.cache_clear()
