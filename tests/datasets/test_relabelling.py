"""Labels from files for every kind of source, made-up labels, and images that are left out."""

import gin
import numpy as np
import pytest
from PIL import Image

from compare_gan import registry
from compare_gan.datasets import (
    ArraySource,
    define,
    eval_batches,
    get_dataset,
    sources,
    train_batches,
    write_label_file,
)
from compare_gan.datasets.relabelling import label_paths, replace_labels
from compare_gan.errors import UserError

_N = 12


def _numbered(height=6, width=6, channels=3):
    """Images in which every pixel is 20 times the example's index."""
    return [np.full([height, width, channels], 20 * i, np.uint8) for i in range(_N)]


def _indices(images):
    return np.round(np.asarray(images)[..., 0, 0, 0] / 20).astype(int)


def _own(i):
    return i % 3


@pytest.fixture(params=["arrays", "decoded folder", "in memory", "streamed with names"])
def numbered(request, tmp_path, store_tfds, monkeypatch):
    """A function from options to a data set of 12 numbered images, and the keys of the images."""
    kind, images = request.param, _numbered()
    keys = [str(i) for i in range(_N)]
    labels = [_own(i) for i in range(_N)]
    if kind in ("decoded folder", "streamed with names"):
        monkeypatch.setattr(sources, "MEMORY_LIMIT", 0)
    if kind == "arrays":
        arrays = {"train": (np.stack(images), np.array(labels))}
        define("numbered", lambda: ArraySource.from_arrays(arrays), summary="Numbered.")
        options = dict(name="numbered")
    elif kind == "decoded folder":
        for i, image in enumerate(images):
            folder = tmp_path / "images" / "abc"[_own(i)]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{i}.png")
        keys = [f"{'abc'[_own(i)]}/{i}.png" for i in range(_N)]
        options = dict(name="image_folder", data_dir=str(tmp_path / "images"))
    else:
        names = [f"n{i}.JPEG" for i in range(_N)] if "names" in kind else None
        keys = names or [f"photos-train.tfrecord-00000-of-00001__{i}" for i in range(_N)]
        data_dir = store_tfds("photos", {"train": (images, labels)}, 3, (6, 6, 3), file_names=names)
        options = dict(name="tfds:photos", data_dir=data_dir)
    yield (lambda **more: get_dataset(**options, **more)), keys
    registry._components["dataset"].pop("numbered", None)


def _replace_by(tmp_path, keys, labels, split="train", **more):
    order = np.random.default_rng(1).permutation(len(keys))  # The files' order does not matter.
    halves = np.array_split(order, 2)
    for k, half in enumerate(halves):
        write_label_file(
            str(tmp_path / "labels" / f"{split}-{k}"), [keys[i] for i in half], labels[half]
        )
    pattern = str(tmp_path / "labels" / "{split}-*")
    gin.parse_config(
        [f"replace_labels.file_pattern = '{pattern}'"]
        + [f"replace_labels.{name} = {value}" for name, value in more.items()]
    )


def _training(dataset, steps=3, **options):
    """The indices of the images in some steps, and their labels."""
    batches = train_batches(
        dataset, **(dict(batch_size=4, disc_iters=1, z_dim=2, seed=0) | options)
    )
    taken = list(batches.take(steps).as_numpy_iterator())
    index = np.concatenate([_indices(batch["images"]).ravel() for batch in taken])
    labels = np.concatenate([b["labels"].reshape(-1, dataset.num_classes) for b in taken])
    return index, labels


_HARD = np.array([2, 2, -1, 0, 1, 0, -1, 1, 2, 0, 1, 1])
_SOFT = np.random.default_rng(0).dirichlet(np.ones(3), _N).astype(np.float32)
_SOFT[5] = 0


def test_hard_labels_from_files_belong_to_their_images(numbered, tmp_path):
    get, keys = numbered
    assert sorted(get().source.keys("train")) == sorted(keys)
    _replace_by(tmp_path, keys, _HARD)
    dataset = get()
    index, labels = _training(dataset)
    np.testing.assert_array_equal(labels, np.eye(4)[_HARD][index, :3])  # A row of zeros for -1.
    for images, hard in eval_batches(dataset, "train", 5):
        np.testing.assert_array_equal(hard, _HARD[_indices(images)])


def test_soft_labels_from_files_are_unchanged_or_hidden(numbered, tmp_path):
    get, keys = numbered
    _replace_by(tmp_path, keys, _SOFT)
    dataset = get()
    index, labels = _training(dataset)
    np.testing.assert_array_equal(labels, _SOFT[index])
    hard_labels = np.where(_SOFT.any(1), _SOFT.argmax(1), -1)
    for images, hard in eval_batches(dataset, "train", 5):
        assert hard.dtype == np.int32
        np.testing.assert_array_equal(hard, hard_labels[_indices(images)])
    shown = []
    for _ in range(2):
        index, labels = _training(get(labeled_fraction=0.5))
        seen = {int(i) for i, y in zip(index, labels, strict=True) if y.any()}
        np.testing.assert_array_equal(
            labels, np.where(np.isin(index, list(seen))[:, None], _SOFT[index], 0)
        )
        shown.append(seen)
    assert shown[0] == shown[1]
    expected = [round(0.5 * (hard_labels == label).sum()) for label in range(3)]
    assert np.bincount(hard_labels[list(seen)], minlength=3).tolist() == expected


def test_a_missing_image_is_reported(numbered, tmp_path):
    get, keys = numbered
    _replace_by(tmp_path, keys[:-1], _HARD[:-1])
    with pytest.raises(
        UserError, match=r"hold no label for 1 of the 12 images of the split 'train'"
    ):
        get()


def test_labels_for_too_many_images_without_names_are_reported(tmp_path):
    arrays = {"train": (np.stack(_numbered()), np.arange(_N) % 3)}
    source = ArraySource.from_arrays(arrays)
    keys = [str(i) for i in range(_N + 1)]
    _replace_by(tmp_path, keys, np.zeros(_N + 1, int))
    pattern = str(tmp_path / "labels" / "{split}-*")
    with pytest.raises(UserError, match=r"hold 13 labels, but the split 'train' of 'x' has 12"):
        replace_labels(source, "x", pattern)


def _synthetic(**options):
    gin.bind_parameter("synthetic.num_examples", _N)
    return get_dataset(name="synthetic", image_size=8, **options)


_PLACES = [str(i) for i in range(_N)]


class TestFiles:
    def test_other_splits_keep_their_labels_without_files(self, tmp_path):
        own = _synthetic().source.labels("test")
        _replace_by(tmp_path, _PLACES, _HARD)
        np.testing.assert_array_equal(_synthetic().source.labels("test"), own)
        _replace_by(tmp_path, _PLACES, np.full(_N, 3), split="test")
        assert (_synthetic().source.labels("test") == 3).all()

    def test_a_pattern_without_split_is_for_training(self, tmp_path):
        own = _synthetic().source.labels("test")
        write_label_file(str(tmp_path / "labels"), _PLACES, _HARD)
        gin.parse_config(f"replace_labels.file_pattern = '{tmp_path}/labels'")
        source = _synthetic().source
        np.testing.assert_array_equal(source.labels("train"), _HARD)
        np.testing.assert_array_equal(source.labels("test"), own)

    def test_they_may_have_other_classes(self, tmp_path):
        _replace_by(tmp_path, _PLACES, np.arange(_N), num_classes=20)
        dataset = _synthetic()
        assert (dataset.num_classes, dataset.class_names) == (20, None)
        assert (dataset.source.labels("test") == -1).all()  # Its own labels have other classes.
        assert _training(dataset)[1].shape[1] == 20

    def test_a_data_set_without_classes_gets_some(self, tmp_path):
        (tmp_path / "images").mkdir()
        for i in range(_N):
            Image.fromarray(_numbered()[i]).save(tmp_path / "images" / f"{i}.png")
        _replace_by(tmp_path, [f"{i}.png" for i in range(_N)], _HARD)
        dataset = get_dataset(name="image_folder", data_dir=str(tmp_path / "images"))
        assert dataset.num_classes == 3
        index, labels = _training(dataset)
        np.testing.assert_array_equal(labels.argmax(1), np.maximum(_HARD, 0)[index])

    def test_noise_takes_them_in_turn(self, tmp_path):
        _replace_by(tmp_path, ["x", "y"], np.array([3, 5]))
        labels = get_dataset(name="mnist", fake=True).source.labels("train")
        assert set(labels[::2]) | set(labels[1::2]) == {3, 5} and labels[0] != labels[1]

    @pytest.mark.parametrize("labels", [_HARD, _SOFT], ids=["hard", "soft"])
    def test_fake_labels_fit_them(self, tmp_path, labels):
        if labels.ndim == 2:  # There are four classes.
            labels = np.pad(labels, [(0, 0), (0, 1)])
        _replace_by(tmp_path, _PLACES, labels)
        batches = train_batches(
            _synthetic(), batch_size=100, disc_iters=1, z_dim=2, seed=0, fit_label_distribution=True
        )
        drawn = np.concatenate([b["fake_labels"] for b in batches.take(20).as_numpy_iterator()])
        frequencies = drawn.reshape(-1, 4).mean(0)
        classes = labels if labels.ndim == 1 else np.where(labels.sum(1), labels.argmax(1), -1)
        expected = np.bincount(classes[classes >= 0], minlength=4) / (classes >= 0).sum()
        # 4,000 draws: four standard deviations of a frequency.
        assert (np.abs(frequencies - expected) <= 4 * np.sqrt(0.25 / 4000)).all()

    def test_fitting_needs_a_label(self, tmp_path):
        _replace_by(tmp_path, _PLACES, np.full(_N, -1))
        with pytest.raises(UserError, match="no training image of 'synthetic' has a label"):
            train_batches(
                _synthetic(),
                batch_size=4,
                disc_iters=1,
                z_dim=2,
                seed=0,
                fit_label_distribution=True,
            )

    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (np.arange(_N), r"'.*' \(train\) have 12 classes, but 'synthetic' has 4: set repl"),
            (_SOFT, r"'.*' \(train\) have 3 classes, but 'synthetic' has 4: set replace_labels"),
            (np.full(_N, -2), r"must be classes from 0, or -1 for no label; received -2"),
            (np.full([_N, 4], np.nan, np.float32), "soft labels in .* must not be negative or NaN"),
            (np.full([_N, 4], 0.2), "must sum to one for each image; those of 12 do not, .* 0.8"),
        ],
    )
    def test_labels_that_do_not_fit_are_reported(self, tmp_path, labels, message):
        _replace_by(tmp_path, _PLACES, labels)
        with pytest.raises(UserError, match=message):
            _synthetic()

    @pytest.mark.parametrize("fake", [False, True])
    def test_a_pattern_without_files_is_reported(self, tmp_path, fake):
        gin.parse_config(f"replace_labels.file_pattern = '{tmp_path}/{{split}}-*'")
        with pytest.raises(UserError, match=r"-\*' matches no file for the split 'train'"):
            get_dataset(name="synthetic", fake=fake)


class TestVariantsOfImagenet:
    """ImageNet with 12 images; label files have three classes."""

    _NAMES = tuple(f"n{i}.JPEG" for i in range(_N))

    @pytest.fixture
    def get(self, store_tfds):
        labels = [_own(i) for i in range(_N)]
        splits = {"train": (_numbered(9, 8), labels), "validation": (_numbered(9, 8), labels)}
        data_dir = store_tfds("imagenet2012", splits, 3, version="5.1.0", file_names=self._NAMES)
        return lambda name, **options: get_dataset(name=name, data_dir=data_dir, **options)

    def test_single_class(self, get):
        dataset = get("single_class_imagenet_64")
        assert (dataset.num_classes, dataset.class_names) == (1, None)
        index, labels = _training(dataset)
        assert sorted(set(index)) == list(range(_N)) and (labels == 1).all()

    def test_random_class_is_the_same_in_every_epoch_and_run(self, get):
        labels_of = {}
        for run in range(2):
            index, labels = _training(get("random_class_imagenet_64"), 6, seed=run)
            assert np.bincount(index).tolist() == [4] * _N
            for i, label in zip(index, labels.argmax(1), strict=True):
                assert labels_of.setdefault(int(i), int(label)) == label
        drawn = [labels_of[i] for i in range(_N)]
        assert len(set(drawn)) > 9 and max(drawn) > 500  # There are 1,000 classes.
        other = get("random_class_imagenet_64", seed=1).source.labels("train")
        assert other.tolist() != drawn

    def test_labelled_only_leaves_out_images_without_label(self, get, tmp_path):
        _replace_by(tmp_path, self._NAMES, _HARD, num_classes=3)
        dataset = get("labeled_only_imagenet_64")
        kept = np.flatnonzero(_HARD >= 0)
        assert dataset.num_train == len(kept) == 10
        index, labels = _training(dataset, 5)  # 40 examples: four epochs.
        assert np.bincount(index, minlength=_N).tolist() == (4 * (_HARD >= 0)).tolist()
        np.testing.assert_array_equal(labels, np.eye(3)[_HARD[index]])
        assert dataset.source.keys("train") == [self._NAMES[i] for i in kept]
        assert dataset.splits["validation"] == _N

    @pytest.mark.parametrize("fake", [False, True])
    def test_labelled_only_leaves_out_images_whose_label_is_hidden(self, get, fake, tmp_path):
        if not fake:
            _replace_by(tmp_path, self._NAMES, _HARD, num_classes=3)
        dataset = get("labeled_only_imagenet_64", labeled_fraction=0.5, fake=fake)
        full = get("imagenet_64", labeled_fraction=0.5, fake=fake)
        shown = full.shown_labels[full.shown_labels >= 0]
        assert 0 < len(shown) < full.num_train
        np.testing.assert_array_equal(dataset.shown_labels, shown)
        if not fake:
            _, labels = _training(dataset)
            assert (labels.sum(1) == 1).all()

    def test_labelled_only_without_any_label_is_refused(self, get, tmp_path):
        _replace_by(tmp_path, self._NAMES, np.full(_N, -1))
        with pytest.raises(UserError, match="No training image of 'labeled_only_imagenet_64' has"):
            get("labeled_only_imagenet_64")

    def test_soft_labelled(self, get, tmp_path):
        _replace_by(tmp_path, self._NAMES, _SOFT, num_classes=3)
        index, labels = _training(get("soft_labeled_imagenet_64"))
        np.testing.assert_array_equal(labels, _SOFT[index])

    def test_soft_labels_are_needed_if_the_name_implies_them(self, get, tmp_path):
        with pytest.raises(UserError, match="_64' needs soft labels: set repl"):
            get("soft_labeled_imagenet_64")
        _replace_by(tmp_path, self._NAMES, _HARD)
        with pytest.raises(UserError, match="_64' needs soft labels: set repl"):
            get("soft_labeled_imagenet_64")

    def test_noise_has_its_own_soft_labels(self, get):
        dataset = get("soft_labeled_imagenet_64", fake=True)
        labels = dataset.shown_labels[:5]
        np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-5)
        assert labels.argmax(1).tolist() == [0, 1, 2, 3, 4] and (labels > 0).all()

    @pytest.mark.parametrize("name", ["single_class_imagenet_64", "random_class_imagenet_64"])
    def test_made_up_labels_exclude_files(self, get, tmp_path, name):
        _replace_by(tmp_path, self._NAMES, _HARD)
        with pytest.raises(UserError, match=f"The labels of '{name}' are made up"):
            get(name)


def test_labels_can_be_made_up_for_any_data_set():
    dataset = get_dataset(name="synthetic", labels="single")
    assert (dataset.num_classes, dataset.class_names) == (1, None)
    assert (dataset.shown_labels == 0).all()
    drawn, again, others = (
        get_dataset(name="synthetic", labels="random", seed=seed).shown_labels for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(drawn, again)
    assert set(drawn) == {0, 1, 2, 3} and (drawn != others).any()
    # The same as under the names of ImageNet that imply the labels.
    named, asked = (
        get_dataset(fake=True, **options).shown_labels
        for options in (
            {"name": "random_class_imagenet_64"},
            {"name": "imagenet_64", "labels": "random"},
        )
    )
    np.testing.assert_array_equal(named, asked)


def test_random_labels_need_classes():
    with pytest.raises(UserError, match="Random labels need a data set that has classes"):
        get_dataset(name="celeb_a", labels="random", fake=True)


def test_hq400_without_large_images_is_reported(store_tfds):
    splits = {split: (_numbered(399, 401)[:1], [0]) for split in ("train", "validation")}
    data_dir = store_tfds("imagenet2012", splits, 2, version="5.1.0")
    with pytest.raises(UserError, match=r"No image of the split '\w+' is 400x400 or larger"):
        get_dataset(name="imagenet_512_hq400", data_dir=data_dir)


@pytest.mark.parametrize("encoding", [pytest.param("png", marks=pytest.mark.slow), "jpeg"])
def test_hq400_keeps_images_of_400_pixels_and_more(store_tfds, encoding):
    sizes = [(400, 400), (399, 800), (640, 401), (700, 399), (10, 10)]
    images = [np.full([*size, 3], 20 * i, np.uint8) for i, size in enumerate(sizes)]
    splits = {"train": (images, [0, 1, 1, 0, 0]), "validation": (images[1:3], [0, 0])}
    data_dir = store_tfds("imagenet2012", splits, 2, version="5.1.0", encoding=encoding)
    dataset = get_dataset(name="imagenet_512_hq400", data_dir=data_dir)
    assert dataset.splits == {"train": 2, "validation": 1}
    assert dataset.image_shape == (512, 512, 3)
    for split, expected in (("train", [0, 2]), ("validation", [2])):
        ((kept, _),) = eval_batches(dataset, split, 5)
        assert sorted(_indices(kept)) == expected
    assert dataset.shown_labels.tolist() == [0, 1]


def test_a_typo_in_a_transform_is_reported_for_noise_too():
    gin.parse_config("train_imagenet_transform.crop_method = 'midle'")
    with pytest.raises(UserError, match="Did you mean 'middle'"):
        get_dataset(name="imagenet_64", fake=True)


def test_hidden_label_files_are_skipped(tmp_path):
    for name in ("train.tfrecord", ".train.tfrecord.host.1.0.tmp"):
        (tmp_path / name).touch()
    assert label_paths(f"{tmp_path}/*", "train") == [f"{tmp_path}/train.tfrecord"]
