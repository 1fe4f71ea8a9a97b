"""PRD curves against closed forms and their bounds; stored values are in test_golden.py."""

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ImageBatch,
    PrecisionRecallOfDistributions,
    draw_prd_curve,
    prd_curve,
    prd_from_distributions,
)


def _clouds(counts, seed=0):
    """Draws the given number of points around each corner of a wide square."""
    rng = np.random.default_rng(seed)
    corners = 100.0 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    return np.concatenate(
        [rng.normal(c, 1.0, (n, 2)) for c, n in zip(corners, counts, strict=True)]
    )


def test_distributions_with_a_closed_form():
    equal = prd_from_distributions([0.5, 0.5], [0.5, 0.5])
    np.testing.assert_allclose(equal.precision, np.minimum(1, equal.precision / equal.recall))
    assert equal.f_beta(8) == equal.f_beta(1 / 8) == pytest.approx(1, rel=1e-12)
    apart = prd_from_distributions([1, 0], [0, 1])
    assert not apart.precision.any() and apart.f_beta(8) == 0
    # One of two modes is missing: precision can reach 1, recall 1/2.
    half = prd_from_distributions([0.5, 0.5], [1, 0])
    assert half.precision.max() == pytest.approx(1, rel=1e-12)
    assert half.recall.max() == pytest.approx(0.5, rel=1e-12)
    assert half.f_beta(8) < 0.52 and half.f_beta(1 / 8) > 0.98


def test_a_missing_and_an_invented_mode():
    real, fake = _clouds((50, 50, 0, 0)), _clouds((50, 0, 0, 0), seed=1)
    dropped = prd_curve(real, fake, num_clusters=3, num_runs=2)
    assert dropped.f_beta(1 / 8) > 0.9 > 0.6 > dropped.f_beta(8)
    invented = prd_curve(fake, real, num_clusters=3, num_runs=2)
    assert invented.f_beta(8) > 0.9 > 0.6 > invented.f_beta(1 / 8)


def test_sets_of_unequal_size_are_balanced():
    real, fake = _clouds((90, 90, 90, 90)), _clouds((10, 10, 10, 10), seed=1)
    curve = prd_curve(real, fake, num_clusters=4, num_runs=4)
    # 40 of 360 real images are drawn, with random shares of the clusters.
    assert min(curve.f_beta(8), curve.f_beta(1 / 8)) > 0.8
    assert max(curve.precision.max(), curve.recall.max()) <= 1


def test_the_seed_determines_the_curve():
    real, fake = _clouds((30, 20, 10, 0)), _clouds((10, 20, 30, 0), seed=1)
    curves = [prd_curve(real, fake, 8, num_runs=2, seed=seed) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(curves[0].precision, curves[1].precision)
    assert (curves[0].precision != curves[2].precision).any()


def test_rounding_has_no_effect():
    """K-means would amplify it: without rounded features, a third of these curves differ."""
    rng = np.random.default_rng(0)
    for _ in range(3):
        features = np.maximum(rng.normal(size=(80, 40)).astype(np.float32), 0)
        noise = 1 + 1e-7 * rng.normal(size=features.shape)
        curves = [
            prd_curve(each[:40], each[40:], num_clusters=20, num_runs=3)
            for each in (features, (features * noise).astype(np.float32))
        ]
        np.testing.assert_array_equal(curves[0].precision, curves[1].precision)


def test_the_metric_clusters_once_for_scores_and_picture(monkeypatch):
    real, fake = _clouds((30, 20, 10, 0)), _clouds((10, 20, 30, 0), seed=1)
    metric = PrecisionRecallOfDistributions(num_clusters=4, num_runs=2, seed=5)
    results = {}
    for name, features in (("real", real), ("fake", fake)):
        statistics = metric.statistics(len(features))
        statistics.update(ImageBatch(features=features))
        results[name] = statistics.result()
    values = metric.value(**results)
    curve = prd_curve(real, fake, 4, 2, seed=5)
    assert values == {"f8": curve.f_beta(8), "f1_8": curve.f_beta(1 / 8)}
    assert metric.options() == {"num_clusters": 4, "num_runs": 2, "seed": 5}
    monkeypatch.setattr("compare_gan.metrics.prd.prd_curve", None)
    (picture,) = metric.pictures(**results).values()
    assert picture.size == (480, 480) and picture.mode == "RGB"
    # The curve has a colour; everything else is gray.
    pixels = np.asarray(picture).astype(int)
    assert (np.ptp(pixels, axis=-1) > 50).sum() > 200
    assert picture == draw_prd_curve(curve)
    assert picture != draw_prd_curve(prd_from_distributions([1.0], [1.0]))


def test_invalid_input_is_refused():
    with pytest.raises(UserError, match="2 x 3 images for 7 clusters"):
        prd_curve(np.eye(3), np.eye(3), num_clusters=7)
    with pytest.raises(UserError, match="add up to 1"):
        prd_from_distributions([0.5, 0.4], [0.5, 0.5])
    with pytest.raises(UserError, match="same number of events, received 2 and 1"):
        prd_from_distributions([0.5, 0.5], [1.0])
    with pytest.raises(UserError, match="must be finite"):
        prd_curve(np.eye(3), np.full([3, 3], np.nan))
    with pytest.raises(UserError, match=r"prd\.num_runs must be a positive integer"):
        PrecisionRecallOfDistributions(num_runs=0)
