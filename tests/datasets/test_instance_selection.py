"""Instance selection against the authors' numbers, and as an option of data sets."""

import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from compare_gan.datasets import DatasetOptions, get_dataset, instance_selection
from compare_gan.datasets.instance_selection import densest, gaussian_scores


@pytest.fixture(name="golden", scope="module")
def _golden():
    path = os.path.join(os.path.dirname(__file__), "..", "data", "augmentations_golden.npz")
    with np.load(path, allow_pickle=False) as arrays:
        return {k: v for k, v in arrays.items() if k.startswith("instance_selection/")}


def test_scores_and_choices_are_those_of_the_authors(assert_golden, golden):
    embeddings, labels = (golden[f"instance_selection/in/{k}"] for k in ("embeddings", "labels"))
    scores = gaussian_scores(embeddings, labels)
    key = "instance_selection/gaussian/scores_per_class"
    # float64 in both, of float32 inputs.
    assert_golden("modern data", key, scores, golden[key], rtol=1e-6)
    for percent in (50, 80):
        kept = np.flatnonzero(densest(scores, labels, percent / 100))
        np.testing.assert_array_equal(kept, golden[f"instance_selection/gaussian/keep_{percent}"])


def test_scores_are_log_likelihoods_and_a_class_of_one_image_keeps_it():
    features = np.random.RandomState(0).normal(size=(9, 2))
    labels = np.array([0] * 8 + [-1])
    own = features[:8]
    covariance = np.cov(own.T, ddof=0) + 1e-5 * np.eye(2)
    expected = stats.multivariate_normal(own.mean(0), covariance).logpdf(own)
    scores = gaussian_scores(features, labels)
    np.testing.assert_allclose(scores[:8], expected, rtol=1e-9)
    assert densest(scores, labels, 0.25).tolist() == [*(expected > np.sort(expected)[5]), True]


def test_scores_in_blocks_are_the_same_and_need_little_memory(monkeypatch):
    features = np.random.RandomState(1).normal(size=(20_000, 16)).astype(np.float32)
    labels = np.zeros(len(features), int)
    monkeypatch.setattr(instance_selection, "_BLOCK", len(features))
    whole = gaussian_scores(features, labels)
    monkeypatch.setattr(instance_selection, "_BLOCK", 999)
    tracemalloc.start()
    scores = gaussian_scores(features, labels)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Sums in another order, in float64.
    np.testing.assert_allclose(scores, whole, rtol=1e-9)
    assert peak < features.nbytes  # A copy in float64 would be twice as large.


class Brightness:
    """An extractor of one feature that counts its images."""

    name, weights_hash, resizer, calls = "brightness", "", "none", 0

    def __call__(self, images):
        assert images.dtype == np.uint8
        Brightness.calls += len(images)
        return images.mean(axis=(1, 2, 3))[:, None].astype(np.float32), None


@pytest.fixture(name="options")
def _options(tmp_path, monkeypatch):
    """Two classes of ten images, each with one that is far from the rest."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    for name, start in (("a", 10), ("b", 100)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(10):
            pixels = np.full([8, 8, 3], 250 - start if i == 3 else start + i, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{i}.png")
    return dict(
        name="image_folder", data_dir=str(tmp_path / "images"), image_size=8,
        densest_extractor=Brightness,
    )  # fmt: skip


def test_the_densest_images_of_each_class_are_trained_on(options):
    dataset = get_dataset(**options, densest_fraction=0.9)
    assert dataset.splits == {"train": 18, "all_train": 20} and dataset.eval_split == "all_train"
    keys = dataset.source.keys("train")
    assert not {"a/3.png", "b/3.png"} & set(keys) and len(keys) == 18
    before = Brightness.calls
    assert get_dataset(**options, densest_fraction=0.5).splits["train"] == 10
    assert Brightness.calls == before  # The scores are in the cache.
    part = get_dataset(**options, fraction=0.5, densest_fraction=0.6)
    assert part.splits["train"] == 6 and Brightness.calls == before + 10


def test_the_extractor_suits_the_images_as_in_evaluation():
    """The packaged images need no download for it."""
    assert (
        get_dataset("fashion_mnist_10k", fraction=0.01, densest_fraction=0.5).splits["train"] == 50
    )
    assert (
        DatasetOptions("cifar10", densest_fraction=0.5).choice["densest_extractor"] == "inception"
    )


def test_hidden_labels_are_not_used(options):
    """Then 5 % are one of twenty images, otherwise one of ten in each class."""
    sizes = [
        get_dataset(**options, densest_fraction=0.95, labeled_fraction=fraction).splits["train"]
        for fraction in (1.0, 0.5)
    ]
    assert sizes == [18, 19]


def test_noise_in_place_of_images_is_not_selected_from(options):
    dataset = get_dataset(**options, densest_fraction=0.5, fake=True)
    assert "all_train" not in dataset.splits
