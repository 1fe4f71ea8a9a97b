import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets import eval_batches, get_dataset, sources, streams, train_batches
from compare_gan.datasets.tensorflow_datasets import TfdsData
from compare_gan.errors import UserError

_OPTIONS = dict(batch_size=4, disc_iters=1, z_dim=2, seed=3)


def _numbered(n, *shape):
    """Images in which every pixel is 10 times the example's index."""
    return [np.full(shape, 10 * i, np.uint8) for i in range(n)]


def _labels(n, classes):
    return [i % classes for i in range(n)]


def _images(batches):
    return np.concatenate([images for images, _ in batches])


@pytest.fixture
def streamed(monkeypatch):
    monkeypatch.setattr(sources, "MEMORY_LIMIT", 0)
    monkeypatch.setattr(streams, "_BLOCK", 8)


@pytest.fixture
def digits(store_tfds):
    """24 training images of ten classes in the layout of `mnist`, and 5 for testing."""
    images = _numbered(24, 28, 28, 1)
    splits = {"train": (images, _labels(24, 10)), "test": (images[:5], [1] * 5)}
    return store_tfds("mnist", splits, 10, (28, 28, 1), version="3.0.1")


def test_mnist_is_held_in_memory(digits):
    dataset = get_dataset(name="mnist", data_dir=digits)
    assert isinstance(dataset.source, sources.ArraySource)
    assert dataset.image_shape == (28, 28, 1)
    assert (dataset.splits, dataset.eval_split) == ({"train": 24, "test": 5}, "test")
    assert dataset.class_names == tuple("0123456789")
    ((images, labels),) = eval_batches(dataset, "train", 24)
    index = images[:, 3, 3, 0] // 10
    assert sorted(index) == list(range(24))
    np.testing.assert_array_equal(labels, index % 10)


class TestStream:
    def _get(self, data_dir, **options):
        dataset = get_dataset(name="mnist", data_dir=data_dir, **options)
        assert isinstance(dataset.source, streams.StreamSource)
        return dataset

    def _take(self, dataset, count, **options):
        batches = train_batches(dataset, **(_OPTIONS | options)).take(count)
        return list(batches.as_numpy_iterator())

    def test_each_epoch_holds_every_example(self, digits, streamed):
        batches = train_batches(self._get(digits), **_OPTIONS)
        assert batches.element_spec["images"] == tf.TensorSpec([2, 4, 28, 28, 1], tf.uint8)
        taken = list(batches.take(6).as_numpy_iterator())  # Two epochs.
        index = np.stack([batch["images"][..., 0, 0, 0] // 10 for batch in taken])
        epochs = index.reshape(2, 24)
        for epoch in epochs:
            assert sorted(epoch) == list(range(24))
        assert not np.array_equal(*epochs)
        assert not np.array_equal(epochs[0], np.arange(24))
        labels = np.stack([batch["labels"].argmax(-1) for batch in taken])
        np.testing.assert_array_equal(labels, index % 10)

    def test_epochs_that_are_no_multiple_of_a_block_are_shuffled_without_loss(
        self, digits, streamed, monkeypatch
    ):
        monkeypatch.setattr(streams, "_BLOCK", 7)
        taken = self._take(self._get(digits), 21)  # Seven epochs: whole blocks again.
        index = np.stack([batch["images"][..., 0, 0, 0] // 10 for batch in taken])
        assert np.bincount(index.ravel()).tolist() == [7] * 24

    def test_the_order_does_not_depend_on_tensorflows_seed(self, digits, streamed):
        dataset = self._get(digits)
        runs = []
        for seed in (1, 2):
            tf.random.set_seed(seed)
            runs.append(np.stack([batch["images"] for batch in self._take(dataset, 2)]))
        np.testing.assert_array_equal(*runs)

    def test_replicas_share_the_examples_of_one_replica(self, digits, streamed):
        dataset = self._get(digits)
        whole = self._take(dataset, 4)
        parts = self._take(dataset, 8, num_replicas=2, replica_ids=[0, 1])
        second = self._take(dataset, 4, num_replicas=2, replica_ids=[1])
        for step, batch in enumerate(whole):
            for name in ("images", "labels", "z"):
                joined = np.concatenate([parts[2 * step + r][name] for r in range(2)], 1)
                np.testing.assert_array_equal(joined, batch[name])
                np.testing.assert_array_equal(second[step][name], batch[name][:, 2:])

    def test_a_resumed_run_continues_where_it_stopped(self, digits, streamed):
        dataset = self._get(digits)
        whole = self._take(dataset, 6)
        for start in (2, 5):  # In the first epoch, in the second.
            for got, expected in zip(
                self._take(dataset, 6 - start, start_step=start), whole[start:], strict=True
            ):
                for name in expected:
                    np.testing.assert_array_equal(got[name], expected[name])

    def test_evaluation_is_in_the_order_of_the_files(self, digits, streamed):
        pairs = list(eval_batches(self._get(digits), "train", 5, 12))
        assert [len(images) for images, _ in pairs] == [5, 5, 2]
        images = np.concatenate([images for images, _ in pairs])
        np.testing.assert_array_equal(images[:, 0, 0, 0] // 10, np.arange(12))
        np.testing.assert_array_equal(np.concatenate([y for _, y in pairs]), np.arange(12) % 10)

    def test_hidden_labels_stay_hidden(self, digits, streamed):
        dataset = self._get(digits, labeled_fraction=0.5)
        assert np.bincount(dataset.shown_labels[dataset.shown_labels >= 0]).tolist() == (
            # Classes 0 to 3 have three images, the others two: round(1.5) = 2 and 1 are shown.
            [2] * 4 + [1] * 6
        )
        for batch in self._take(dataset, 6):
            index = batch["images"][..., 0, 0, 0] // 10
            shown = dataset.shown_labels[index]
            np.testing.assert_array_equal(batch["labels"].sum(-1), shown >= 0)
            np.testing.assert_array_equal(batch["labels"].argmax(-1), np.maximum(shown, 0))


def test_lsun_is_cropped_to_the_middle(store_tfds):
    images = [np.zeros([130, 140, 3], np.uint8), np.zeros([100, 128, 3], np.uint8)]
    images[0][1, 6] = 200
    images[1][:] = 50
    data_dir = store_tfds("lsun", {"train": (images, None)}, version="3.1.0", config="bedroom")
    dataset = get_dataset(name="lsun-bedroom", data_dir=data_dir)
    assert (dataset.image_shape, dataset.num_classes) == ((128, 128, 3), None)
    assert dataset.eval_split == "train"
    result = _images(eval_batches(dataset, "train", 2)).astype(int)
    result = result[np.argsort(result.sum((1, 2, 3)))]
    assert result[0, 0, 0].tolist() == [200] * 3
    assert result[0].sum() == 600
    assert (result[1, 14:114] == 50).all()  # 14 black rows above and below.
    assert result[1].sum() == 100 * 128 * 3 * 50


def test_celeb_a_is_cropped_and_downsized(store_tfds):
    image = np.zeros([218, 178, 3], np.uint8)
    image[29:189, 9:169] = 100  # Its middle 160x160 pixels.
    splits = {"train": ([image], None), "test": ([image], None)}
    data_dir = store_tfds("celeb_a", splits, version="2.1.0")
    dataset = get_dataset(name="celeb_a", data_dir=data_dir)
    assert (_images(eval_batches(dataset, "test", 1)) == np.full([1, 64, 64, 3], 100)).all()


class TestImagenet:
    def _get(self, store_tfds, crop_method=""):
        # The left half is dark, the right half bright.
        image = np.repeat(np.array([0, 250], np.uint8), 60)[None, :, None]
        image = np.broadcast_to(image, [60, 120, 3])
        splits = {"train": ([image] * 8, _labels(8, 2)), "validation": ([image], [1])}
        data_dir = store_tfds("imagenet2012", splits, 2, version="5.1.0")
        if crop_method:
            gin.parse_config(f"train_imagenet_transform.crop_method = '{crop_method}'")
        return get_dataset(name="imagenet_64", data_dir=data_dir)

    def _bright(self, dataset, **options):
        """The share of bright pixels in each training image of a step."""
        (batch,) = train_batches(dataset, **(_OPTIONS | options)).take(1).as_numpy_iterator()
        assert batch["images"].shape[2:] == (64, 64, 3)
        return (batch["images"] > 125).mean((2, 3, 4))

    @pytest.mark.parametrize(
        "crop_method",
        ["", pytest.param("distorted", marks=pytest.mark.slow), "random"],  # It is the default.
    )
    def test_random_crops_differ_and_depend_on_the_seed(self, store_tfds, crop_method):
        dataset = self._get(store_tfds, crop_method)
        bright = self._bright(dataset)
        assert len(np.unique(bright)) > 4
        np.testing.assert_array_equal(bright, self._bright(dataset))
        np.testing.assert_array_equal(
            bright[:, 2:], self._bright(dataset, num_replicas=2, replica_ids=[1])
        )
        assert not np.array_equal(bright, self._bright(dataset, seed=4))

    @pytest.mark.parametrize("crop_method", ["middle", "none"])
    def test_other_crops_are_the_same_for_all_images(self, store_tfds, crop_method):
        np.testing.assert_allclose(self._bright(self._get(store_tfds, crop_method)), 0.5, atol=0.02)

    def test_evaluation_crops_the_middle(self, store_tfds):
        dataset = self._get(store_tfds)
        assert dataset.eval_split == "validation"
        image = _images(eval_batches(dataset, "validation", 1))[0]
        assert (image > 125).mean() == pytest.approx(0.5, abs=0.02)

    @pytest.mark.parametrize("crop_method", ["distorted", "random", "middle", "none"])
    def test_evaluation_crops_by_the_method_of_its_scope(self, store_tfds, crop_method):
        gin.parse_config(f"eval_imagenet_transform.crop_method = '{crop_method}'")
        dataset = self._get(store_tfds)
        image = _images(eval_batches(dataset, "validation", 1))[0]
        is_middle = abs((image > 125).mean() - 0.5) < 0.02
        assert is_middle == (crop_method in ("middle", "none"))

    def test_an_unknown_crop_is_refused_at_once(self, store_tfds):
        with pytest.raises(
            UserError,
            match=r"Unknown train_imagenet_transform.crop_method 'midle'. Did you mean 'middle'",
        ):
            self._get(store_tfds, "midle")


class TestAnyDataSet:
    def test_images_of_one_size(self, store_tfds):
        splits = {"train": (_numbered(4, 9, 7, 3), _labels(4, 2))}
        data_dir = store_tfds("my_photos", splits, 2, (9, 7, 3))
        dataset = get_dataset(name="tfds:my_photos", data_dir=data_dir)
        assert (dataset.image_shape, dataset.eval_split) == ((9, 7, 3), "train")
        assert dataset.num_classes == 2

    def test_images_of_different_sizes_need_an_image_size(self, store_tfds):
        images = [np.full([9 + i, 7, 3], 50, np.uint8) for i in range(3)]
        data_dir = store_tfds("my_photos", {"train": (images, None)})
        with pytest.raises(UserError, match=r"'my_photos' differ in size: set dataset.image_size"):
            get_dataset(name="tfds:my_photos", data_dir=data_dir)
        dataset = get_dataset(name="tfds:my_photos", data_dir=data_dir, image_size=5)
        assert (_images(eval_batches(dataset, "train", 3)) == np.full([3, 5, 5, 3], 50)).all()

    def test_a_data_set_without_images(self, store_tfds, tmp_path):
        import tensorflow_datasets as tfds

        tfds.dataset_builders.store_as_tfds_dataset(
            name="numbers",
            version="1.0.0",
            features=tfds.features.FeaturesDict({"value": np.int64}),
            split_datasets={"train": [(0, {"value": 3})]},
            data_dir=str(tmp_path),
        )
        with pytest.raises(
            UserError, match=r"'numbers' .* has no feature 'image' of bytes, only va"
        ):
            get_dataset(name="tfds:numbers", data_dir=str(tmp_path))


class TestMistakes:
    def test_gray_images_instead_of_colour(self, store_tfds):
        images = _numbered(4, 32, 32, 1), _labels(4, 2)
        data_dir = store_tfds("my_photos", {"train": images, "test": images}, 2, (32, 32, 1))
        with pytest.raises(UserError, match="the shape 32x32x1; 32x32x3 is expected"):
            TfdsData("my_photos", (32, 32, 3)).load(data_dir)

    def test_a_missing_split(self, store_tfds):
        splits = {"train": (_numbered(4, 28, 28, 1), _labels(4, 2))}
        data_dir = store_tfds("mnist", splits, 2, (28, 28, 1), version="3.0.1")
        with pytest.raises(UserError, match="has no split 'test', only train"):
            get_dataset(name="mnist", data_dir=data_dir)

    def test_a_class_without_images(self, store_tfds):
        images = _numbered(4, 28, 28, 1)
        splits = {"train": (images, _labels(4, 2)), "test": (images, _labels(4, 2))}
        data_dir = store_tfds("mnist", splits, 3, (28, 28, 1), version="3.0.1")
        with pytest.raises(UserError, match="The class '2' has no images"):
            get_dataset(name="mnist", data_dir=data_dir)

    def test_data_that_was_never_prepared(self, tmp_path):
        with pytest.raises(UserError) as caught:
            get_dataset(name="cifar10", data_dir=str(tmp_path))
        assert f"'cifar10' is not in '{tmp_path}/cifar10" in str(caught.value)
        assert "tfds build cifar10" in str(caught.value)

    @pytest.mark.parametrize("name", ["tfds:mnits", "tfds:lsun/bedrom"])
    def test_an_unknown_name(self, tmp_path, name):
        with pytest.raises(UserError, match=r"TensorFlow Datasets .*(Did you mean|cannot open)"):
            get_dataset(name=name, data_dir=str(tmp_path))
