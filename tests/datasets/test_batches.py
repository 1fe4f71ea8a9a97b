import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets import (
    ArraySource,
    Dataset,
    eval_batches,
    get_dataset,
    sources,
    train_batches,
)
from compare_gan.datasets.labels import choose_given
from compare_gan.datasets.views import select
from compare_gan.errors import UserError

_OPTIONS = dict(batch_size=8, disc_iters=2, z_dim=5, seed=3)


def _numbered(n=40, classes=4, **changes):
    """Images in which every pixel is the example's index, to identify examples in batches."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], [n, 3, 2, 1])
    labels = None if classes is None else np.arange(n) % classes
    return Dataset("numbered", ArraySource.from_arrays({"train": (images, labels)}), **changes)


def _take(dataset, count, **options):
    batches = train_batches(dataset, **(_OPTIONS | options)).take(count)
    return list(batches.as_numpy_iterator())


def _indices(batch):
    return batch["images"][..., 0, 0, 0]


def _assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_shapes_and_types_are_static():
    spec = train_batches(_numbered(), **_OPTIONS).element_spec
    assert spec == {
        "images": tf.TensorSpec([3, 8, 3, 2, 1], tf.uint8),
        "labels": tf.TensorSpec([3, 8, 4], tf.float32),
        "fake_labels": tf.TensorSpec([3, 8, 4], tf.float32),
        "z": tf.TensorSpec([3, 8, 5], tf.float32),
        "seed": tf.TensorSpec([3, 2], tf.int32),
    }


def test_autograph_does_not_look_at_the_pipeline(monkeypatch):
    statuses = []

    def noting(function):
        def call(*args, **options):
            statuses.append(tf.__internal__.autograph.control_status_ctx().status.name)
            return function(*args, **options)

        return call

    monkeypatch.setattr(sources, "shuffled_tensor", noting(sources.shuffled_tensor))
    monkeypatch.setattr(tf, "gather", noting(tf.gather))
    dataset = _numbered()
    source = select(dataset.source, np.arange(40) % 2 == 0)
    train_batches(dataclasses.replace(dataset, source=source), **_OPTIONS)
    # The order; images and labels of its indices; the indices that were selected.
    assert statuses == ["DISABLED"] * 4


def test_labels_belong_to_their_images():
    for batch in _take(_numbered(), 5):
        np.testing.assert_array_equal(batch["labels"].argmax(-1), _indices(batch) % 4)
        np.testing.assert_array_equal(batch["labels"].sum(-1), 1)


@pytest.mark.parametrize("replicas", [2, 4, 8])
def test_replicas_share_the_numbers_of_one_replica(replicas):
    whole = _take(_numbered(), 3)
    parts = _take(_numbered(), 3 * replicas, num_replicas=replicas, replica_ids=range(replicas))
    for step, batch in enumerate(whole):
        own = parts[step * replicas : (step + 1) * replicas]
        for part in own:
            np.testing.assert_array_equal(part["seed"], batch["seed"])
        for name in ("images", "labels", "fake_labels", "z"):
            np.testing.assert_array_equal(np.concatenate([p[name] for p in own], 1), batch[name])


def test_a_pipeline_feeds_only_its_own_replicas():
    every = _take(_numbered(), 8, num_replicas=4, replica_ids=range(4))
    some = _take(_numbered(), 4, num_replicas=4, replica_ids=[2, 3])
    for got, expected in zip(some, [every[2], every[3], every[6], every[7]], strict=True):
        _assert_same(got, expected)


def test_a_run_can_start_at_any_step():
    for got, expected in zip(
        _take(_numbered(), 3, start_step=7), _take(_numbered(), 10)[7:], strict=True
    ):
        _assert_same(got, expected)


def test_each_epoch_is_a_different_permutation():
    # 5 steps of 24 examples are 3 epochs of 40.
    order = np.concatenate([_indices(batch).ravel() for batch in _take(_numbered(), 5)])
    epochs = order.reshape(3, 40)
    for epoch in epochs:
        np.testing.assert_array_equal(np.sort(epoch), np.arange(40))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[1], epochs[2])


def test_shuffling_leaves_no_trace_of_the_order():
    """Permutations of successive epochs are correlated no more than independent ones."""
    n = 2000
    images = np.arange(n, dtype=np.float32).reshape(n, 1, 1, 1)
    dataset = Dataset("indices", ArraySource.from_arrays({"train": (images, None)}))
    batches = _take(dataset, 100, batch_size=n // 2, disc_iters=1)
    epochs = np.stack([batch["images"].ravel() for batch in batches])
    # The correlation of two random permutations has mean 0 and standard deviation 1/sqrt(n - 1).
    with_file = [np.corrcoef(epoch, np.arange(n))[0, 1] for epoch in epochs]
    with_next = [np.corrcoef(a, b)[0, 1] for a, b in itertools.pairwise(epochs)]
    for correlations in (with_file, with_next):
        # About 100 values: their mean within 4 standard deviations, their spread within 30 %.
        assert abs(np.mean(correlations)) * np.sqrt(n) < 4 / np.sqrt(len(correlations))
        assert np.std(correlations) * np.sqrt(n) == pytest.approx(1, abs=0.3)


def test_a_batch_may_be_larger_than_the_data_set():
    (batch,) = _take(_numbered(n=5, classes=None), 1, batch_size=15, disc_iters=1)
    assert np.bincount(_indices(batch).ravel()).tolist() == [6] * 5


@pytest.mark.parametrize("change", [dict(seed=4), "dataset"])
def test_other_seeds_give_other_batches(change):
    (a,) = _take(_numbered(), 1)
    if change == "dataset":
        (b,) = _take(_numbered(seed=1), 1)
        np.testing.assert_array_equal(a["z"], b["z"])  # Depends only on the run's seed.
    else:
        (b,) = _take(_numbered(), 1, **change)
        assert not np.array_equal(a["z"], b["z"])
        assert not np.array_equal(a["seed"], b["seed"])
    assert not np.array_equal(a["images"], b["images"])


def test_latents_and_seeds_differ_between_sub_batches_and_steps():
    batches = _take(_numbered(), 4)
    z = np.concatenate([batch["z"] for batch in batches]).reshape(-1, 5)
    seeds = np.concatenate([batch["seed"] for batch in batches])
    assert len(np.unique(z, axis=0)) == len(z)
    assert len(np.unique(seeds, axis=0)) == len(seeds)
    assert np.abs(z).max() <= 1


@pytest.mark.parametrize("fit", [False, True])
def test_fake_labels_have_the_requested_frequencies(fit):
    labels = np.repeat(np.arange(4), [40, 30, 20, 10])
    images = np.zeros([100, 1, 1, 1], np.uint8)
    dataset = Dataset("skewed", ArraySource.from_arrays({"train": (images, labels)}))
    batches = _take(dataset, 20, batch_size=100, fit_label_distribution=fit)
    drawn = np.concatenate([batch["fake_labels"].reshape(-1, 4) for batch in batches])
    np.testing.assert_array_equal(drawn.sum(1), 1)
    expected = np.array([0.4, 0.3, 0.2, 0.1]) if fit else np.full(4, 0.25)
    # 6,000 draws: four standard deviations of a frequency.
    tolerance = 4 * np.sqrt(expected * (1 - expected) / len(drawn))
    assert (np.abs(drawn.mean(0) - expected) < tolerance).all()


def test_without_classes_there_are_no_labels():
    (batch,) = _take(_numbered(classes=None), 1, fit_label_distribution=True)
    assert batch.keys() == {"images", "z", "seed"}


def test_an_absent_label_is_a_row_of_zeros():
    images, labels = np.zeros([8, 1, 1, 1], np.uint8), np.array([0, 1, -1, -1, -1, -1, -1, -1])
    dataset = Dataset("few", ArraySource.from_arrays({"train": (images, labels)}))
    (batch,) = _take(dataset, 1, disc_iters=1)
    assert batch["labels"].sum(-1).sum() == 4  # Two examples, in two epochs.


def test_float_images_stay_float():
    images = np.random.default_rng(0).random([8, 2, 2, 3], np.float32)
    dataset = Dataset("float", ArraySource.from_arrays({"train": (images, None)}))
    (batch,) = _take(dataset, 1, disc_iters=1)
    np.testing.assert_array_equal(np.sort(batch["images"][0].ravel()), np.sort(images.ravel()))


def test_padding_is_black_and_symmetric():
    (batch,) = _take(_numbered(pad_to=6), 1)
    images = batch["images"].astype(int)
    assert images.shape == (3, 8, 6, 6, 1)
    # 3x2 pixels: one row above and two below, two columns on either side.
    assert (images[:, :, 1:4, 2:4] == images[:, :, 1:2, 2:3]).all()
    assert images.sum() == images[:, :, 1:4, 2:4].sum()


def test_a_batch_size_that_replicas_cannot_share_is_refused():
    with pytest.raises(UserError, match="8 cannot be shared equally by 3 replicas"):
        train_batches(_numbered(), **_OPTIONS, num_replicas=3, replica_ids=[0, 1, 2])


class TestHiddenLabels:
    @pytest.mark.parametrize("fit", [False, True])
    def test_training_never_depends_on_a_hidden_label(self, fit):
        """A change of the hidden labels leaves every batch unchanged, bit for bit."""
        rng = np.random.default_rng(0)
        images = rng.integers(0, 256, [60, 2, 2, 1], np.uint8)
        labels = rng.permutation(np.arange(60) % 3)
        given_mask = choose_given(labels, 0.2, 547, "abc")
        assert given_mask.sum() == 12
        changed = labels.copy()
        changed[~given_mask] = rng.permutation(labels[~given_mask])
        assert (changed != labels).sum() > 10
        absent = np.where(given_mask, labels, -1)
        runs = []
        for values in (labels, changed, absent):
            source = ArraySource.from_arrays({"train": (images, values)}, num_classes=3)
            dataset = Dataset("x", source, given_mask=given_mask)
            runs.append(_take(dataset, 12, fit_label_distribution=fit))
        for other in runs[1:]:
            for batch, expected in zip(other, runs[0], strict=True):
                _assert_same(batch, expected)

    def test_a_fraction_of_each_class_is_shown_in_training(self):
        dataset = get_dataset(name="synthetic", image_size=8, labeled_fraction=0.2)
        assert np.bincount(dataset.shown_labels[dataset.shown_labels >= 0]).tolist() == [50] * 4
        batches = _take(dataset, 10, batch_size=50, disc_iters=1)  # One epoch.
        labels = np.concatenate([batch["labels"].reshape(-1, 4) for batch in batches])
        assert labels.sum(0).tolist() == [50] * 4

    def test_fake_labels_fit_the_shown_labels(self):
        images, labels = np.zeros([40, 1, 1, 1], np.uint8), np.repeat([0, 1], 20)
        given_mask = np.zeros(40, bool)
        given_mask[[0, 20, 21, 22]] = True
        source = ArraySource.from_arrays({"train": (images, labels)})
        batches = _take(
            Dataset("x", source, given_mask=given_mask),
            20,
            batch_size=40,
            fit_label_distribution=True,
        )
        share = np.mean([batch["fake_labels"][..., 1].mean() for batch in batches])
        assert share == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 2400))

    def test_evaluation_has_true_labels_by_default(self):
        given_mask = np.arange(40) < 10
        dataset = dataclasses.replace(_numbered(), given_mask=given_mask)
        for images, labels in eval_batches(dataset, "train", 7):
            np.testing.assert_array_equal(labels, images[:, 0, 0, 0] % 4)
        for images, labels in eval_batches(dataset, "train", 7, shown_only=True):
            index = images[:, 0, 0, 0].astype(int)
            np.testing.assert_array_equal(labels, np.where(index < 10, index % 4, -1))


class TestEvalBatches:
    def _read(self, *args, **kwargs):
        pairs = list(eval_batches(*args, **kwargs))
        return [len(images) for images, _ in pairs], np.concatenate([x for x, _ in pairs])

    def test_each_example_is_yielded_once(self):
        sizes, images = self._read(_numbered(), "train", 16)
        assert sizes == [16, 16, 8]
        np.testing.assert_array_equal(np.sort(images[:, 0, 0, 0]), np.arange(40))

    def test_the_first_examples_are_always_the_same_and_mixed(self):
        _, every = self._read(_numbered(), "train", 16)
        sizes, some = self._read(_numbered(seed=1), "train", 6, 15)
        assert sizes == [6, 6, 3]
        np.testing.assert_array_equal(some, every[:15])
        assert some[:, 0, 0, 0].max() > 20  # Not the first 15 of the file.

    def test_too_many_examples_are_limited_to_the_split(self):
        _, images = self._read(_numbered(pad_to=8), "train", 100, 1000)
        assert images.shape == (40, 8, 8, 1)

    def test_labels_are_minus_one_without_classes(self):
        for _, labels in eval_batches(_numbered(classes=None), "train", 40):
            assert labels.dtype == np.int32
            assert (labels == -1).all()

    def test_an_unknown_split_is_refused(self):
        with pytest.raises(UserError, match=r"Unknown split of numbered 'tain'.*'train'"):
            eval_batches(_numbered(), "tain", 8)


def _striped(**changes):
    """Images [40, 4, 3, 1] whose left column is brighter than the right one."""
    images = np.broadcast_to(np.uint8([[[90], [60], [30]]]), [40, 4, 3, 1])
    numbers = np.arange(40, dtype=np.uint8)[:, None, None, None]
    source = ArraySource.from_arrays({"train": (images + numbers, np.arange(40) % 4)})
    return Dataset("striped", source, **changes)


def test_half_of_the_images_are_flipped_and_nothing_else_changes():
    plain, flipped = (_take(_striped(flip=flip), 20) for flip in (False, True))
    marks = []
    for before, after in zip(plain, flipped, strict=True):
        for name in ("labels", "fake_labels", "z", "seed"):
            np.testing.assert_array_equal(after[name], before[name])
        mirrored = after["images"][..., 0, 0, 0] < after["images"][..., 0, 2, 0]
        expected = np.where(
            mirrored[..., None, None, None], before["images"][..., ::-1, :], before["images"]
        )
        np.testing.assert_array_equal(after["images"], expected)
        marks.append(mirrored)
    # 480 draws: within 4 standard deviations; each step and each example has its own.
    assert abs(np.mean(marks) - 0.5) < 4 * 0.5 / np.sqrt(np.size(marks))
    assert not np.array_equal(marks[0], marks[1]) and 0 < np.mean(marks[0][0]) < 1
    for images, _ in eval_batches(_striped(flip=True), "train", 40):
        assert (images[:, :, 0] > images[:, :, 2]).all()


def test_flips_depend_on_seed_and_step_only():
    whole = _take(_striped(flip=True), 6)
    for got, expected in zip(_take(_striped(flip=True), 2, start_step=4), whole[4:], strict=True):
        _assert_same(got, expected)
    parts = _take(_striped(flip=True), 4, num_replicas=2, replica_ids=range(2))
    for step in range(2):
        shared = np.concatenate([part["images"] for part in parts[2 * step : 2 * step + 2]], 1)
        np.testing.assert_array_equal(shared, whole[step]["images"])


def test_odd_padding_stays_where_it_is_when_images_are_flipped():
    for batch in _take(_striped(flip=True, pad_to=6), 3):
        columns = batch["images"].max(axis=(0, 1, 2, 4))
        assert (columns[[0, 4, 5]] == 0).all() and (columns[1:4] > 0).all()
