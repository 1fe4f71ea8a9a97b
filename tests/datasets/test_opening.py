import dataclasses
import io
import os
import pathlib
import re

import gin
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from compare_gan import registry
from compare_gan.datasets import (
    ArraySource,
    DataOptions,
    Dataset,
    ReplaceLabelsOptions,
    as_arrays,
    define,
    eval_batches,
    get_dataset,
    outline,
    packaged,
    train_batches,
    write_label_file,
)
from compare_gan.datasets.streams import StreamSource
from compare_gan.datasets.transforms import TrainCropOptions
from compare_gan.datasets.views import ALL_TRAIN, select
from compare_gan.errors import UserError

_NAMES = registry.names("dataset")
# In another size they are the same.
_OTHER_SIZE = re.compile(r"_(?!64\b)\d+(_hq400)?$")


def test_the_packaged_images():
    dataset = get_dataset(name="fashion_mnist_10k")
    assert dataset.image_shape == (28, 28, 1)
    assert (dataset.splits, dataset.eval_split) == ({"train": 10_000}, "train")
    assert np.bincount(dataset.shown_labels).tolist() == [1000] * 10
    assert dataset.class_names[0] == "T-shirt/top"
    ((images, labels),) = eval_batches(dataset, "train", 10_000)
    # Trousers are narrow: nothing at the left and right edges, unlike bags.
    edges = [images[labels == label][:, 10:, [0, 27]].mean() for label in (1, 8)]
    assert edges[0] < 1 < edges[1]
    # The published mean of Fashion-MNIST's images is 0.286 of 255.
    assert images.mean() / 255 == pytest.approx(0.286, abs=0.003)
    assert os.path.getsize(packaged.PATH) < 6e6
    licence = pathlib.Path(packaged.PATH).with_name("LICENSE.fashion_mnist")
    assert "Zalando" in licence.read_text()


def test_gin_chooses_a_data_set():
    gin.parse_config("""
        dataset.name = 'synthetic'
        dataset.image_size = 12
        dataset.labeled_fraction = 0.1
        dataset.pad_to = 16
        synthetic.num_classes = 3
        synthetic.num_examples = 60
        synthetic.channels = 1
    """)
    dataset = get_dataset(DataOptions.from_gin())
    assert dataset.image_shape == (16, 16, 1)
    assert (dataset.num_classes, dataset.num_train) == (3, 60)
    assert (dataset.shown_labels >= 0).sum() == 6


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if _OTHER_SIZE.search(name) else [])
        for name in (*_NAMES, "tfds:stanford_dogs")
    ],
)
def test_every_data_set_has_a_fake_that_reads_no_file(name, tmp_path):
    dataset = get_dataset(name=name, fake=True, data_dir=str(tmp_path / "nowhere"))
    assert dataset.name == f"{name} (fake)"
    options = dict(batch_size=4, disc_iters=1, z_dim=2, seed=0)
    batches = train_batches(dataset, **options)
    if dataset.image_shape[0] <= 64:
        batch, again = (next(batches.as_numpy_iterator()) for _ in range(2))
        np.testing.assert_array_equal(batch["images"], again["images"])
        # Uniform on 0…255: the mean of at least 6,272 pixels is within four standard deviations.
        assert abs(batch["images"].mean() - 127.5) < 4 * 73.9 / np.sqrt(batch["images"].size)
    assert batches.element_spec["images"].shape == [2, 4, *dataset.image_shape]
    assert dataset.eval_split in dataset.splits


def test_the_names_of_2019_are_known():
    aliases = {alias for part in registry.components("dataset") for alias in part.aliases}
    expected = "mnist fashion-mnist cifar10 celeb_a celeb_a_hq_128 lsun-bedroom imagenet_64"
    assert set(expected.split()) <= {*_NAMES, *aliases}


def test_a_data_set_can_be_defined():
    def load(data_dir):
        images = np.full([2, 4, 4, 1], len(data_dir), np.uint8)
        return ArraySource.from_arrays({"train": (images, None)})

    define("my_own", load, (4, 4, 1), summary="A constant.")
    ((images, _),) = eval_batches(get_dataset(name="my_own", data_dir="abc"), "train", 2)
    assert (images == 3).all()


def test_a_name_may_end_with_a_fraction():
    options = DataOptions.from_gin(name="synthetic_0.25", num_examples=80)
    assert options == DataOptions.from_gin(name="synthetic", fraction=0.25, num_examples=80)
    dataset = get_dataset(options)
    assert dataset.name == "synthetic" and dataset.num_train == 20
    with pytest.raises(UserError, match=r"'synthetic_0.25' has a fraction already: .*'synthetic'"):
        DataOptions.from_gin(name="synthetic_0.25", fraction=0.5)
    with pytest.raises(UserError, match=r"Unknown dataset 'imagenet_12'\. Did you mean"):
        DataOptions.from_gin(name="imagenet_12_0.25")


def test_a_path_is_no_name_of_a_data_set(tmp_path):
    with pytest.raises(UserError, match=f"dataset.name = 'image_folder'.*data_dir = '{tmp_path}'"):
        get_dataset(str(tmp_path))


def test_a_representation_is_brief():
    assert len(repr(get_dataset("fashion_mnist_10k"))) < 500


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(name="fashion_mnist_10"), r"Unknown dataset 'fashion_mnist_10'\. Did you mean 'fas"),
        (dict(name="fashion_mnist_10k", image_size=32), "image_size cannot be set for 'fashion_"),
        (dict(name="fashion_mnist_10k", pad_to=27), "pad_to = 27 is less than .* 28x28"),
        (dict(name="fashion_mnist_10k", labeled_fraction=2), "labeled_fraction must be above 0"),
        (dict(name="fashion_mnist_10k", labeled_fraction=1e-4), "leaves none of the 1000 images"),
        (dict(name="celeb_a", fake=True, labeled_fraction=0.5), "'celeb_a .* has no labels"),
    ],
)
def test_mistakes_are_reported(options, message):
    with pytest.raises(UserError, match=message):
        get_dataset(**options)


_FILES = "replace_labels.file_pattern = '/nowhere/{split}*'"


def _outline(name, *bindings, need_classes=True):
    gin.parse_config([f"dataset.name = '{name}'", *bindings])
    outlined = outline(DataOptions.from_gin(data_dir="/nowhere"), need_classes)
    return outlined and (outlined.image_shape, outlined.num_classes)


@pytest.mark.parametrize(
    ("name", "bindings", "expected"),
    [
        ("imagenet_64", [], ((64, 64, 3), 1000)),
        ("imagenet_64", [_FILES], ((64, 64, 3), 1000)),
        ("imagenet_64", [_FILES, "replace_labels.num_classes = 50"], ((64, 64, 3), 50)),
        ("imagenet_64", ["replace_labels.num_classes = 50"], ((64, 64, 3), 1000)),
        ("soft_labeled_imagenet_64", [_FILES], ((64, 64, 3), 1000)),
        ("single_class_imagenet_64", [], ((64, 64, 3), 1)),
        ("imagenet_64", ["dataset.labels = 'single'"], ((64, 64, 3), 1)),
        ("celeb_a", ["dataset.labels = 'single'"], ((64, 64, 3), 1)),
        ("mnist", ["dataset.labels = 'random'"], ((28, 28, 1), 10)),
        ("mnist", ["dataset.pad_to = 32"], ((32, 32, 1), 10)),
        ("celeb_a", [], ((64, 64, 3), None)),
        (
            "celeb_a",
            [_FILES, "replace_labels.num_classes = 2", "dataset.labeled_fraction = 0.5"],
            ((64, 64, 3), 2),
        ),
        # Only files determine shape or classes.
        ("celeb_a", [_FILES], None),
        ("image_folder", [], None),
        ("image_folder", [_FILES, "replace_labels.num_classes = 2"], None),
    ],
)
def test_an_outline_is_known_without_reading(name, bindings, expected):
    assert _outline(name, *bindings) == expected


def test_an_outline_may_lack_classes_that_only_files_determine():
    assert _outline("celeb_a", _FILES, need_classes=False) == ((64, 64, 3), None)
    gin.clear_config()
    assert _outline("imagenet_64", _FILES, need_classes=False) == ((64, 64, 3), 1000)


@pytest.mark.parametrize(
    ("name", "bindings", "message"),
    [
        ("imagenet_64", [_FILES, "replace_labels.num_classes = 0"], "num_classes must be a posit"),
        ("random_class_imagenet_64", [_FILES], "The labels of 'random_class_imagenet_64' are mad"),
        (
            "mnist",
            ["dataset.labels = 'singel'"],
            "Unknown dataset.labels 'singel'. Did you mean 's",
        ),
        ("mnist", ["dataset.labels = 'single'", _FILES], "The labels of 'mnist' are made up: repl"),
        (
            "single_class_imagenet_64",
            ["dataset.labels = 'random'"],
            "cannot be set for 'single_class_",
        ),
        ("soft_labeled_imagenet_64", [], "_64' needs soft labels: set replace_labels.file_patt"),
        ("celeb_a", ["dataset.labeled_fraction = 0.5"], "'celeb_a' has no labels"),
    ],
)
def test_mistakes_in_labels_are_reported_before_anything_is_read(name, bindings, message):
    with pytest.raises(UserError, match=message):
        _outline(name, *bindings)


def _bind_crops(**methods):
    gin.parse_config([f"{scope}.crop_method = '{method}'" for scope, method in methods.items()])


class TestOptions:
    """`DataOptions`, with which gin is read once."""

    def test_arguments_suffice(self):
        dataset = get_dataset("synthetic", image_size=8, num_examples=20, num_classes=2)
        assert (dataset.image_shape, dataset.num_classes, dataset.num_train) == ((8, 8, 3), 2, 20)

    def test_label_files_may_be_an_argument(self, tmp_path):
        path = str(tmp_path / "labels")
        write_label_file(path, ["0", "1", "2"], np.array([2, 2, 0]))
        dataset = get_dataset(
            "synthetic", num_examples=3, replace_labels=ReplaceLabelsOptions(path)
        )
        assert dataset.given_labels.tolist() == [2, 2, 0]

    def test_arguments_win_over_gin(self):
        gin.parse_config("""
            dataset.name = 'mnist'
            dataset.seed = 5
            synthetic.num_examples = 60
            synthetic.channels = 1
        """)
        dataset = get_dataset("synthetic", image_size=8, num_examples=20)
        assert (dataset.image_shape, dataset.num_train, dataset.seed) == ((8, 8, 1), 20, 5)

    def test_later_bindings_change_nothing(self):
        gin.parse_config("""
            dataset.name = 'synthetic'
            dataset.image_size = 8
            dataset.labeled_fraction = 0.5
            synthetic.num_examples = 40
        """)
        options = DataOptions.from_gin()
        expected = get_dataset(options), outline(options)
        gin.parse_config("""
            dataset.labeled_fraction = 1
            dataset.pad_to = 16
            synthetic.num_examples = 60
            replace_labels.file_pattern = '/nowhere'
        """)
        for dataset, before in zip((get_dataset(options), outline(options)), expected, strict=True):
            assert (dataset is None) == (before is None)
            if dataset is not None:
                assert dataset.splits == before.splits
                np.testing.assert_array_equal(dataset.given_labels, before.given_labels)

    def test_only_scopes_that_are_used_are_in_the_resolved_config(self):
        DataOptions.from_gin(name="cifar10")
        assert "synthetic" not in gin.operative_config_str()
        DataOptions.from_gin(name="synthetic")
        assert "synthetic.num_examples = 1000" in gin.operative_config_str()

    def test_a_data_set_has_options_of_its_own(self):
        @dataclasses.dataclass(frozen=True)
        class Brightness:
            value: int = 7

        def load(options):
            images = np.full([2, 4, 4, 1], options.value, np.uint8)
            return ArraySource.from_arrays({"train": (images, None)})

        define("constant", load, (4, 4, 1), options=Brightness, summary="A constant.")
        for options, expected in (({}, 7), ({"value": 9}, 9)):
            images, _ = as_arrays(get_dataset("constant", **options))
            assert (images == expected).all()

    @pytest.mark.parametrize(
        ("name", "option", "message"),
        [
            ("mnist", "imag_size", "option of the data set 'mnist' 'imag_size'. Did you mean 'ima"),
            ("synthetic", "num_exampels", "'num_exampels'. Did you mean 'num_examples'"),
            (
                "mnist",
                "num_examples",
                "'num_examples'.* Known: background, data_dir, densest_extractor, densest_fra",
            ),
        ],
    )
    def test_an_unknown_option_is_refused(self, name, option, message):
        with pytest.raises(UserError, match=message):
            get_dataset(name, **{option: 3})

    def test_options_and_arguments_exclude_each_other(self):
        with pytest.raises(UserError, match="either all options or a name with options"):
            get_dataset(DataOptions.from_gin(name="synthetic"), image_size=8)

    @pytest.mark.parametrize("name", ["imagenet_64", "mnist"])
    def test_crop_methods_are_those_that_are_bound(self, name):
        """Also if nothing is cropped or the default is bound, for the keys of inferred labels."""
        scopes = "train_imagenet_transform", "eval_imagenet_transform"
        dataset = get_dataset(name, fake=True)
        assert dataset.crop_methods == dict.fromkeys(scopes)
        _bind_crops(train_imagenet_transform="distorted")
        dataset = get_dataset(name, fake=True)
        assert dataset.crop_methods == dict(zip(scopes, ("distorted", None), strict=True))
        _bind_crops(eval_imagenet_transform="none")
        outlined = outline(DataOptions.from_gin(name=name))
        assert outlined.crop_methods == dict(zip(scopes, ("distorted", "none"), strict=True))

    def test_crop_methods_may_be_arguments(self):
        crop = TrainCropOptions("random")
        dataset = get_dataset("imagenet_64", fake=True, train_crop=crop)
        assert dataset.crop_methods["train_imagenet_transform"] == "random"


def test_the_name_is_required():
    with pytest.raises(RuntimeError, match="Required bindings for `dataset`"):
        DataOptions.from_gin()


def test_images_have_one_or_three_channels():
    source = ArraySource.from_arrays({"train": (np.zeros([2, 4, 4, 2], np.uint8), None)})
    with pytest.raises(UserError, match="have 2 channels"):
        Dataset("two", source)


def _folder_of_classes(folder, counts=(20, 8, 2)):
    for name, count in zip("abc", counts, strict=True):
        (folder / name).mkdir()
        for i in range(count):
            pixels = np.full([8, 8, 3], 20 * "abc".index(name) + i, np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return dict(name="image_folder", data_dir=str(folder), image_size=8)


def test_a_part_of_each_class_is_trained_on_and_all_images_are_the_reference(tmp_path):
    options = _folder_of_classes(tmp_path)
    whole, part = get_dataset(**options), get_dataset(**options, fraction=0.25)
    assert part.splits == {"train": 8, "all_train": 30} and part.eval_split == "all_train"
    assert part.held_out_split is None  # Both hold images to train on.
    assert np.bincount(part.given_labels).tolist() == [5, 2, 1]
    assert set(part.source.keys("train")) < set(part.source.keys("all_train"))
    images, labels = as_arrays(part)
    np.testing.assert_array_equal(images[:, 0, 0, 0] // 20, labels)
    for got, expected in zip(as_arrays(part, "all_train"), as_arrays(whole), strict=True):
        np.testing.assert_array_equal(got, expected)
    again, other = (get_dataset(**options, fraction=0.25, seed=seed) for seed in (547, 1))
    assert again.source.keys("train") == part.source.keys("train")
    assert other.source.keys("train") != part.source.keys("train")
    few = get_dataset(**options, fraction=0.25, labeled_fraction=0.4)
    assert np.bincount(few.given_labels + 1).tolist() == [4, 2, 1, 1]


def test_a_part_of_a_data_set_with_other_labels_or_none(tmp_path):
    options = _folder_of_classes(tmp_path)
    labels = get_dataset(**options, fraction=0.5, labels="random").source
    assert len(labels.labels("train")) == 15 and len(labels.labels("all_train")) == 30
    (tmp_path / "flat").mkdir()
    for i in range(9):
        Image.fromarray(np.full([8, 8, 3], i, np.uint8)).save(tmp_path / "flat" / f"{i}.png")
    flat = get_dataset("image_folder", data_dir=str(tmp_path / "flat"), image_size=8, fraction=0.3)
    assert flat.splits["train"] == 3 and flat.num_classes is None
    # A data set with a test split keeps it as its reference.
    assert get_dataset("synthetic", num_examples=20, fraction=0.5).eval_split == "test"


def _png(value):
    file = io.BytesIO()
    Image.fromarray(np.full([4, 4], value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_part_of_a_stream():
    images = np.arange(12, dtype=np.uint8)
    encoded = [_png(value) for value in images]
    labels = np.repeat(np.arange(2, dtype=np.int32), [8, 4])
    source = StreamSource(
        image_shape=(4, 4, 1), splits={"train": 12}, num_classes=2,
        records=lambda split: tf.data.Dataset.from_tensor_slices((encoded, labels)),
        train_transform=lambda image, seed: image, eval_transform=lambda image, seed: image,
    )  # fmt: skip
    chosen = np.arange(12) % 2 == 0
    part = select(source, chosen, whole=ALL_TRAIN)
    assert part.splits == {"train": 6, "all_train": 12} and part.eval_split == "all_train"
    assert part.labels("train").tolist() == labels[chosen].tolist()
    assert part.labels("all_train").tolist() == labels.tolist()
    assert part.keys("train") == ["0", "2", "4", "6", "8", "10"] and len(part.keys(ALL_TRAIN)) == 12
    assert part.counted_labels(ALL_TRAIN, 9).tolist() == labels[:9].tolist()
    [(seen, _)] = eval_batches(Dataset("stream", part), ALL_TRAIN, 12)
    assert seen[:, 0, 0, 0].tolist() == images.tolist()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(fraction=0), "dataset.fraction must be above 0 and at most 1, received 0"),
        (dict(densest_fraction=2), "dataset.densest_fraction must be above 0 and at most 1"),
        (dict(densest_fraction=0.5, densest_extractor="inceptio"), "Unknown extractor 'inceptio'"),
        (dict(flip="yes"), "dataset.flip must be True or False, received 'yes'"),
    ],
)
def test_values_that_are_not_allowed(options, sentence):
    with pytest.raises(UserError, match=sentence):
        get_dataset("synthetic", **options)
