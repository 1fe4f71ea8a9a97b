import shutil

import gin
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from compare_gan.datasets import eval_batches, get_dataset, sources, train_batches
from compare_gan.errors import UserError
from compare_gan.evaluation.image_sets import open_images


def _save(path, size=(6, 5), mode="RGB", seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"RGB": (3,), "RGBA": (4,), "L": ()}[mode]
    pixels = np.random.default_rng(seed).integers(0, 256, [size[1], size[0], *channels], np.uint8)
    Image.fromarray(pixels, mode).save(path)
    return pixels


def _get(folder, **options):
    return get_dataset(name="image_folder", data_dir=str(folder), **options)


@pytest.fixture(params=["memory", "decoding"])
def two_classes(request, tmp_path, monkeypatch):
    """Five images of each of two classes, and the pixels in the order of their paths."""
    if request.param == "decoding":
        monkeypatch.setattr(sources, "MEMORY_LIMIT", 0)
    pixels = [
        _save(tmp_path / name / f"{i}.png", seed=10 * label + i)
        for label, name in enumerate(["cat", "dog"])
        for i in range(5)
    ]
    return tmp_path, np.stack(pixels)


def _find(images, pixels):
    return [int(np.flatnonzero((pixels == image).all((1, 2, 3)))[0]) for image in images]


def test_subfolders_are_classes(two_classes):
    folder, pixels = two_classes
    dataset = _get(folder)
    assert dataset.image_shape == (5, 6, 3)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.splits == {"train": 10}
    pairs = list(eval_batches(dataset, "train", 4))
    assert [len(images) for images, _ in pairs] == [4, 4, 2]
    index = _find(np.concatenate([images for images, _ in pairs]), pixels)
    assert sorted(index) == list(range(10))
    labels = np.concatenate([labels for _, labels in pairs])
    np.testing.assert_array_equal(labels, np.array(index) // 5)


def test_hidden_files_and_folders_are_skipped(tmp_path):
    _save(tmp_path / "cat" / "0.png")
    for name in ("cat/.1.png", ".cache/2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"half an image")
    dataset = _get(tmp_path)
    assert dataset.class_names == ("cat",) and dataset.splits == {"train": 1}


def test_training_batches_are_complete_and_static(two_classes):
    folder, pixels = two_classes
    dataset = _get(folder)
    assert len(list(eval_batches(dataset, "train", 10))) == 1  # Both pipelines from one data set.
    batches = train_batches(dataset, batch_size=5, disc_iters=1, z_dim=2, seed=0)
    assert batches.element_spec["images"] == tf.TensorSpec([2, 5, 5, 6, 3], tf.uint8)
    batch = next(batches.as_numpy_iterator())
    index = np.array(_find(batch["images"].reshape(-1, 5, 6, 3), pixels))
    assert sorted(index) == list(range(10))
    np.testing.assert_array_equal(batch["labels"].reshape(-1, 2).argmax(-1), index // 5)


def test_split_folders(tmp_path):
    for split, names in (("train", "ab"), ("val", "a")):
        for name in names:
            _save(tmp_path / split / name / "0.jpg")
    dataset = _get(tmp_path)
    assert dataset.splits == {"train": 2, "val": 1}
    assert dataset.eval_split == "val"
    _save(tmp_path / "val" / "c" / "0.png")
    with pytest.raises(UserError, match="has the class 'c', which the split 'train' lacks"):
        _get(tmp_path)
    assert _get(tmp_path, min_images=1).class_names == ("a", "b")


def test_files_without_subfolders_have_no_classes(tmp_path):
    _save(tmp_path / "0.png")
    dataset = _get(tmp_path)
    assert (dataset.num_classes, dataset.class_names) == (None, None)
    with pytest.raises(
        UserError, match=r"labeled_fraction is 0.5, but 'image_folder' has no label"
    ):
        _get(tmp_path, labeled_fraction=0.5)
    _save(tmp_path / "a" / "0.png")
    with pytest.raises(
        UserError, match=r"both subfolders .* and images without a class, such as '0.png': move"
    ):
        _get(tmp_path)


def test_different_sizes_are_refused_unless_resized(tmp_path):
    _save(tmp_path / "a" / "0.png", size=(8, 4))
    _save(tmp_path / "a" / "1.png", size=(5, 9))
    with pytest.raises(UserError, match=r"differ in size .*8x4.*5x9.*dataset.image_size"):
        _get(tmp_path)
    assert _get(tmp_path, image_size=4).image_shape == (4, 4, 3)


def test_resizing_keeps_the_middle_square(tmp_path):
    pixels = _save(tmp_path / "a" / "0.png", size=(8, 4))
    ((images, _),) = eval_batches(_get(tmp_path, image_size=4), "train", 1)
    np.testing.assert_array_equal(images[0], pixels[:, 2:6])


def test_crop_and_filter_are_options(tmp_path):
    pixels = _save(tmp_path / "a" / "0.png", size=(8, 4))
    image = Image.fromarray(pixels)
    for crop, box in (("middle", (2, 0, 6, 4)), ("none", (0, 0, 8, 4))):
        dataset = _get(tmp_path, image_size=2, crop=crop, resample="lanczos")
        ((images, _),) = eval_batches(dataset, "train", 1)
        expected = image.crop(box).resize((2, 2), Image.Resampling.LANCZOS)
        np.testing.assert_array_equal(images[0], np.asarray(expected))
    with pytest.raises(UserError, match=r"image_folder\.crop .*'midle'.*'middle'"):
        _get(tmp_path, image_size=2, crop="midle")
    with pytest.raises(UserError, match=r"image_folder\.resample .*'cubic'.*'bicubic'"):
        _get(tmp_path, image_size=2, resample="cubic")


def test_gray_among_colour_becomes_colour(tmp_path, caplog):
    caplog.set_level("INFO", "compare_gan")
    colour = _save(tmp_path / "a" / "0.png")
    gray = _save(tmp_path / "a" / "1.png", mode="L", seed=1)
    dataset = _get(tmp_path)
    assert dataset.image_shape == (5, 6, 3)
    ((images, _),) = eval_batches(dataset, "train", 2)
    for expected in (colour, gray[..., None]):
        assert (images == expected).all((1, 2, 3)).any()
    assert f"1 of 2 images in '{tmp_path}' is gray: it is converted to colour." in caplog.text


def test_colour_becomes_gray_where_it_is_asked_for(tmp_path, caplog):
    caplog.set_level("INFO", "compare_gan")
    _save(tmp_path / "a" / "0.png")
    gray = _save(tmp_path / "a" / "1.png", mode="L", seed=1)
    dataset = _get(tmp_path, channels=1)
    assert dataset.image_shape == (5, 6, 1)
    ((images, _),) = eval_batches(dataset, "train", 2)
    assert (images == gray[..., None]).all((1, 2, 3)).any()
    assert "1 of 2 images" in caplog.text and "is in colour: it is converted" in caplog.text


def test_gray_images_have_one_channel(tmp_path):
    _save(tmp_path / "a" / "0.png", mode="L")
    assert _get(tmp_path).image_shape == (5, 6, 1)


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0)])
def test_transparency_is_composited_over_the_background(tmp_path, caplog, background, level):
    caplog.set_level("INFO", "compare_gan")
    pixels = _save(tmp_path / "a" / "0.png", mode="RGBA")
    dataset = _get(tmp_path, background=background)
    ((images, _),) = eval_batches(dataset, "train", 1)
    alpha = pixels[..., 3:] / 255
    np.testing.assert_array_equal(
        images[0], np.round(pixels[..., :3] * alpha + level * (1 - alpha))
    )
    assert dataset.source.background == background
    assert f": it is composited over {background} (the option `background`)" in caplog.text


def test_images_without_transparency_have_no_background(tmp_path):
    _save(tmp_path / "a" / "0.png")
    assert _get(tmp_path, background="black").source.background is None
    with pytest.raises(UserError, match=r"dataset\.background cannot be set for 'synthetic'"):
        get_dataset(name="synthetic", background="black")


def test_phone_photos_are_upright(tmp_path):
    """The stored pixels lie: EXIF's orientation turns them, and changes height and width."""
    pixels = np.random.default_rng(0).integers(0, 256, [5, 6, 3], np.uint8)
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "0.png", exif=exif)
    ((images, _),) = eval_batches(_get(tmp_path), "train", 1)
    np.testing.assert_array_equal(images[0], np.rot90(pixels, -1))


def test_every_format_that_metrics_read_is_trained_on(tmp_path):
    endings = ("png", "bmp", "tif", "ppm", "webp", "gif", "jfif", "JPG.")
    for ending in endings:
        kind = {"jfif": "JPEG", "JPG.": "JPEG", "tif": "TIFF"}.get(ending, ending.upper())
        path = tmp_path / "a" / f"{ending.strip('.').lower()}.{ending}"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(path, kind)
    dataset = _get(tmp_path)
    assert dataset.num_train == len(endings)
    ((images, _),) = eval_batches(dataset, "train", 10)
    np.testing.assert_allclose(images, np.full_like(images, (255, 0, 0)), atol=5)  # JPEG, WebP.


def test_a_file_that_is_not_an_image_is_reported(tmp_path):
    _save(tmp_path / "a" / "0.png")
    (tmp_path / "a" / "1.png").write_bytes(b"text")
    with pytest.raises(UserError, match=r"1.png' is not a readable image"):
        _get(tmp_path)


def test_a_truncated_image_is_reported_by_name(tmp_path):
    for i in range(3):
        _save(tmp_path / "a" / f"{i}.png")
    path = tmp_path / "a" / "1.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(UserError, match=r"1.png' cannot be decoded"):
        list(eval_batches(_get(tmp_path), "train", 3))


def test_missing_folders_and_images_are_reported(tmp_path):
    with pytest.raises(UserError, match=r"needs dataset.data_dir"):
        get_dataset(name="image_folder")
    with pytest.raises(UserError, match="nowhere' is not a folder"):
        _get(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"holds no image \(\.png, "):
        _get(tmp_path)
    (tmp_path / "empty").mkdir()
    _save(tmp_path / "a" / "0.png")
    with pytest.raises(UserError, match="The class 'empty' has no images"):
        _get(tmp_path)


def _pets(folder, form):
    """Two cats, three dogs, an owl and, where the form allows it, an image without a class."""
    levels = {"cat": (0, 1), "dog": (2, 3, 4), "owl": (5,)}
    if form == "npz":
        labels = [2, 0, 0, 1, 1, 1, -1]
        images = np.empty([7, 4, 4, 1], np.uint8)
        images[...] = np.array([5, 0, 1, 2, 3, 4, 6])[:, None, None, None]
        path = folder / "pets.npz"
        np.savez(path, images=images, labels=labels, class_names=["cat", "dog", "owl"])
        return path
    root = folder / "pets"
    for name, own in levels.items():
        (root / name).mkdir(parents=True)
        for level in own:
            Image.new("L", (4, 4), level).save(root / name / f"{level}.png")
    if form == "zip":
        return shutil.make_archive(str(root), "zip", root)
    if form == "csv":
        rows = [f"{name}/{level}.png,{name}" for name, own in levels.items() for level in own]
        Image.new("L", (4, 4), 6).save(root / "6.png")
        (root / "pets.csv").write_text("\n".join(["file,label", *rows, "6.png,"]))
        return root / "pets.csv"
    return root


@pytest.mark.parametrize("form", ("folder", "zip", "csv", "npz"))
@pytest.mark.parametrize("limit", (sources.MEMORY_LIMIT, 0))
def test_some_classes_are_trained_on(tmp_path, monkeypatch, caplog, form, limit):
    caplog.set_level("INFO", "compare_gan")
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sources, "MEMORY_LIMIT", limit)
    place = _pets(tmp_path, form)
    dataset = _get(place, classes=["owl", "cat"])
    assert (dataset.class_names, dataset.splits) == (("cat", "owl"), {"train": 3})
    ((images, labels),) = eval_batches(dataset, "train", 9)
    assert {(x[0, 0, 0], y) for x, y in zip(images, labels, strict=True)} == {
        (0, 0), (1, 0), (5, 1)
    }  # fmt: skip
    assert "2 classes (cat: 2, owl: 1); left out: 1 other class (dog: 3)" in caplog.text
    dataset = _get(place, min_images=2)
    assert dataset.class_names == ("cat", "dog")
    ((images, labels),) = eval_batches(dataset, "train", 9)
    pairs = {(x[0, 0, 0], y) for x, y in zip(images, labels, strict=True)}
    assert pairs - {(6, -1)} == {(0, 0), (1, 0), (2, 1), (3, 1), (4, 1)}
    assert ((6, -1) in pairs) == (form in ("csv", "npz"))
    assert "left out: 1 class with fewer than 2 images (owl: 1)" in caplog.text
    # An image keeps its key.
    keys = [_get(place).source.keys("train"), dataset.source.keys("train")]
    assert set(keys[1]) < set(keys[0])


def test_a_choice_of_classes_that_cannot_be(tmp_path):
    place = _pets(tmp_path, "npz")
    for options, sentence in (
        (dict(classes="cat"), r"image_folder\.classes must be a list of names .*received 'cat'"),
        (dict(classes=[]), r"image_folder\.classes must be a list of names"),
        (dict(min_images=-1), r"image_folder\.min_images must be an integer from 0, received -1"),
        (dict(min_images=True), r"image_folder\.min_images must be an integer"),
        (dict(classes=["cta"]), r"pets\.npz' has no class 'cta'\. Did you mean 'cat'"),
        (dict(min_images=4), r"No class of .* has 4 images .*'dog' has most, 3"),
    ):
        with pytest.raises(UserError, match=sentence):
            _get(place, **options)


def test_metrics_score_against_the_classes_that_were_trained_on(tmp_path):
    place = _pets(tmp_path, "folder")
    gin.parse_config([f"dataset.data_dir = '{place}'", "image_folder.classes = ['owl', 'cat']"])
    images = open_images("image_folder")
    assert (images.count, images.class_names) == (3, ("cat", "owl"))
