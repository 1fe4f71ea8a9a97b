"""Nearest training images against scikit-learn, and memorization of sets with a known share."""

import tracemalloc

import numpy as np
import pytest
import sklearn.neighbors

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ImageBatch,
    Memorization,
    PixelMemorization,
    memorization,
    nearest,
    nearest_neighbours,
)


@pytest.fixture(params=[(1024, 4096), (7, 11)])
def _any_blocks(request, monkeypatch):
    for name, value in zip(("_QUERIES", "_REFERENCES"), request.param, strict=True):
        monkeypatch.setattr(nearest, name, value)


@pytest.mark.usefixtures("_any_blocks")
@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_neighbours_are_scikit_learns(dtype):
    rng = np.random.default_rng(0)
    references, queries = ((40 * rng.normal(size=[n, 3, 4]) + 128).astype(dtype) for n in (50, 30))
    queries[3] = references[17]
    distances, index = nearest_neighbours(queries, references, 4)
    peer = sklearn.neighbors.NearestNeighbors(n_neighbors=4, algorithm="brute")
    flat = [x.reshape(len(x), -1).astype(float) for x in (references, queries)]
    expected, expected_index = peer.fit(flat[0]).kneighbors(flat[1])
    # scikit-learn's distances are rounded if neighbours are near.
    np.testing.assert_allclose(distances, expected, rtol=1e-9, atol=1e-5)
    if dtype == np.float32:  # Bytes have ties.
        np.testing.assert_array_equal(index, expected_index)
    assert distances[3, 0] == 0.0 and index[3, 0] == 17


def test_the_memory_of_wide_vectors_is_bounded():
    rng = np.random.default_rng(0)
    references = rng.integers(0, 256, [450, 128, 128, 3], dtype=np.uint8)
    tracemalloc.start()
    try:
        _, index = nearest_neighbours(references[:1], references, 1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert index.item() == 0
    # Two blocks, the next one and the last one; all references would take 169 MiB.
    assert peak < 140 << 20


def test_near_copies_of_long_vectors_are_measured_exactly():
    references = 1e4 + np.random.default_rng(0).normal(size=[20, 50])
    distances, index = nearest_neighbours(references + 1e-6, references, 1)
    np.testing.assert_array_equal(index[:, 0], np.arange(20))
    # The resolution of float64 at 1e4 is 2e-12.
    np.testing.assert_allclose(distances, 1e-6 * np.sqrt(50), rtol=1e-5)


def test_memorization_on_a_line():
    references = np.array([[0.0], [1.0], [3.0], [10.0]])  # Distances to each other: 1, 1, 2 and 7.
    samples = np.array([[0.0], [-0.4], [-0.9], [-1.1], [2.9], [6.6], [13.0], [18.0]])
    # d is 0, .4, .9, 1.1, .1, 3.4 (to 10), 3, 8; d' is 1, 1, 1, 1, 2, 7, 7, 7.
    assert memorization(samples, references) == (5 / 8, 2 / 8)
    assert memorization(samples, references, 0.1) == (2 / 8, 2 / 8)
    assert memorization(samples, references, 1.0) == (6 / 8, 2 / 8)


def test_copies_of_a_repeated_training_image_are_copies():
    references = np.array([[0.0], [0.0], [0.0], [5.0]])
    assert memorization([[0.0], [1e-3]], references) == (0.5, 0.5)


def test_samples_from_the_same_distribution_are_not_copies():
    rng = np.random.default_rng(0)
    share, authentic = memorization(rng.normal(size=[300, 20]), rng.normal(size=[300, 20]))
    assert share == 0.0 and 0.35 < authentic < 0.75


def _statistics(metric, images, features=None):
    statistics = metric.statistics(len(images))
    statistics.update(ImageBatch(images, features=features))
    return statistics.result()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, [6, 30, 28, 1], dtype=np.uint8)


def test_both_metrics(images):
    features = np.arange(6.0)[:, None] ** 2
    feature_metric, pixel_metric = Memorization(), PixelMemorization(threshold=0.25)
    real = _statistics(feature_metric, images, features)
    fake = _statistics(feature_metric, images[::-1], features + 0.4)
    expected = memorization(features + 0.4, features)
    assert feature_metric.value(real, fake) == {"": expected[0], "authenticity": expected[1]}
    noisy = np.clip(images.astype(int) + 20, 0, 255).astype(np.uint8)
    fake = _statistics(pixel_metric, noisy)
    expected = memorization(noisy, images, 0.25)
    value = pixel_metric.value(_statistics(pixel_metric, images), fake)
    assert value == {"": expected[0], "authenticity": expected[1]}
    assert expected[0] == 1.0
    assert (feature_metric.options(), pixel_metric.options()) == (
        {"threshold": 0.5},
        {"threshold": 0.25},
    )


def test_the_picture_shows_samples_and_their_neighbours_in_order(images):
    metric = Memorization(num_pictured=2, k=3)
    features = np.arange(6.0)[:, None]
    real = _statistics(metric, images, features)
    fake = _statistics(metric, 255 - images, features[[4, 0, 1, 2, 3, 5]] + 0.1)
    (picture,) = metric.pictures(real, fake).values()
    pixels = np.asarray(picture)[::2, ::2]
    assert pixels.shape == (2 * 30, 4 * 28 + 2)
    assert (pixels[:, 28:30] == 255).all()
    rows = [[255 - images[0], *images[[4, 5, 3]]], [255 - images[1], *images[[0, 1, 2]]]]
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            left = 28 * j + 2 * (j > 0)
            shown = pixels[30 * i : 30 * (i + 1), left : left + 28]
            np.testing.assert_array_equal(shown, image[..., 0])


def test_colour_and_few_references():
    images = np.random.default_rng(0).integers(0, 256, [2, 60, 60, 3], dtype=np.uint8)
    metric = PixelMemorization()
    statistics = _statistics(metric, images)
    (picture,) = metric.pictures(statistics, statistics).values()
    assert (picture.mode, picture.size) == ("RGB", (3 * 60 + 4, 2 * 60))


def test_invalid_options_are_refused():
    with pytest.raises(
        UserError, match="3 nearest neighbours need at least 3 references, received 2"
    ):
        nearest_neighbours(np.zeros([1, 2]), np.zeros([2, 2]), 3)
    with pytest.raises(UserError, match="same length, received 2 and 3"):
        nearest_neighbours(np.zeros([1, 2]), np.zeros([2, 3]), 1)
    with pytest.raises(UserError, match="received none"):
        nearest_neighbours(np.zeros([0, 2]), np.zeros([2, 2]), 1)
    with pytest.raises(UserError, match="must be finite"):
        nearest_neighbours(np.full([1, 2], np.nan), np.zeros([2, 2]), 1)
    with pytest.raises(UserError, match=r"memorization\.threshold must be between"):
        Memorization(threshold=2.0)
