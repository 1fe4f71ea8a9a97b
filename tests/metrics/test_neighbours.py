"""Neighbour metrics against pairwise distances; stored values are in test_golden.py."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from compare_gan.errors import UserError
from compare_gan.metrics import (
    DensityAndCoverage,
    ImageBatch,
    ImprovedPrecisionRecall,
    density_coverage,
    precision_recall,
)


def _by_definition(real, fake, k):
    def radii(x):
        distances = cdist(x, x)
        np.fill_diagonal(distances, np.inf)
        return np.sort(distances, axis=1)[:, k - 1]

    real, fake = np.asarray(real, np.float64), np.asarray(fake, np.float64)
    distances = cdist(real, fake)
    in_real, in_fake = distances <= radii(real)[:, None], distances <= radii(fake)
    precision_and_recall = in_real.any(axis=0).mean(), in_fake.any(axis=1).mean()
    return precision_and_recall, (in_real.sum() / (k * len(fake)), in_real.any(axis=1).mean())


def _sets(n=90, m=70, width=3):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, width)), 0.5 + 0.7 * rng.normal(size=(m, width))


@pytest.mark.parametrize("block", [16, 2048])
@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_definition(monkeypatch, block, k, dtype):
    monkeypatch.setattr("compare_gan.metrics.neighbours._BLOCK", block)
    real, fake = (x.astype(dtype) for x in _sets())
    shares, densities = _by_definition(real, fake, k)
    assert precision_recall(real, fake, k) == pytest.approx(shares, rel=1e-15)
    assert density_coverage(real, fake, k) == pytest.approx(densities, rel=1e-15)


@pytest.mark.parametrize("block", [16, 2048])
@pytest.mark.parametrize("scale", [1, 1 / 3, 1e3 / 7])
def test_ties_and_copies(monkeypatch, block, scale):
    """On a lattice, many distances are equal, and many images occur twice."""
    monkeypatch.setattr("compare_gan.metrics.neighbours._BLOCK", block)
    rng = np.random.default_rng(1)
    real, fake = (rng.integers(0, 4, size=(n, 3)) for n in (60, 50))
    shares, densities = _by_definition(real, fake, k=3)
    assert precision_recall(real * scale, fake * scale) == pytest.approx(shares, rel=1e-15)
    assert density_coverage(real * scale, fake * scale, 3) == pytest.approx(densities, rel=1e-15)


def test_images_far_from_the_origin():
    """Squared norms are 1e14 times the distances: without centring, no digit would be correct."""
    real, fake = _sets()
    shares, densities = _by_definition(real, fake, k=3)
    assert precision_recall(real + 1e7, fake + 1e7) == pytest.approx(shares, rel=1e-15)
    assert density_coverage(real + 1e7, fake + 1e7, 3) == pytest.approx(densities, rel=1e-15)


def test_copies_of_the_real_images_are_precise_and_cover():
    real = np.random.default_rng(2).normal(size=(40, 300)).astype(np.float32)
    assert precision_recall(real, real[::-1]) == (1.0, 1.0)
    assert density_coverage(real, real).coverage == 1.0
    # Balls of radius 0 contain their own image.
    copies = np.repeat(real[:2], 6, axis=0)
    assert precision_recall(copies, copies) == (1.0, 1.0)
    assert density_coverage(copies, copies) == (6 / 5, 1.0)
    assert precision_recall(copies, copies + 1e-3) == (0.0, 0.0)
    assert precision_recall(copies, copies + 1e-3).f_score == 0.0


def test_constant_features():
    ones = np.ones([10, 4])
    assert precision_recall(ones, ones) == (1.0, 1.0)
    assert precision_recall(ones, 2 * ones) == (0.0, 0.0)
    assert density_coverage(ones, ones) == (2.0, 1.0)


@pytest.mark.parametrize(
    ("metric", "function"),
    [(ImprovedPrecisionRecall(2), precision_recall), (DensityAndCoverage(2), density_coverage)],
)
def test_metrics_name_their_values(metric, function):
    results = []
    for features in _sets():
        statistics = metric.statistics(len(features))
        statistics.update(ImageBatch(features=features))
        results.append(statistics.result())
    values = metric.value(*results)
    assert values == function(*_sets(), k=2)._asdict()
    assert metric.options() == {"k": 2}
    with pytest.raises(UserError, match="needs at least 3 images, received 2"):
        metric.statistics(2)


def test_invalid_input_is_refused():
    real, fake = _sets()
    with pytest.raises(UserError, match="k = 3 needs at least 4 generated images, received 3"):
        precision_recall(real, fake[:3])
    with pytest.raises(UserError, match="k = 5 needs at least 6 real images, received 5"):
        density_coverage(real[:5], fake)
    with pytest.raises(UserError, match="must be finite"):
        density_coverage(real, np.where(fake > 1, np.inf, fake))
    with pytest.raises(UserError, match="k must be a positive integer, received 0"):
        precision_recall(real, fake, k=0)
    assert density_coverage(real, fake[:1]).density >= 0
