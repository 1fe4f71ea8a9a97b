import numpy as np
import pytest
import scipy.stats

from compare_gan import metrics
from compare_gan.errors import UserError
from compare_gan.metrics import ImageBatch, ModeCoverage


def test_the_divergence_is_that_of_the_predicted_classes():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(5000, 20)), rng.normal(size=(300, 20)) + np.eye(20)[3]
    fake[:, 7] = -100
    modes, divergence = metrics.mode_coverage(real, fake)
    counts = [np.bincount(logits.argmax(1), minlength=20) for logits in (real, fake)]
    assert modes == (counts[1] > 0).sum() <= 19
    # Half an image in each class of the reference.
    expected = scipy.stats.entropy(counts[1], counts[0] + 0.5)
    assert divergence == pytest.approx(expected, rel=1e-12)


def test_a_class_that_the_reference_lacks_costs_a_finite_divergence():
    modes, divergence = metrics.mode_coverage(np.eye(3)[:2], np.eye(3)[2:])
    assert (modes, divergence) == (1, pytest.approx(np.log(3.5 / 0.5)))


def test_batches_add_up():
    logits = np.random.default_rng(0).normal(size=(10, 4))
    metric = ModeCoverage()
    parts = metric.statistics(10)
    for start in (0, 3):
        parts.update(ImageBatch(logits=logits[start : start + 3 if start == 0 else None]))
    whole = metric.statistics(10)
    whole.update(ImageBatch(logits=logits))
    np.testing.assert_array_equal(parts.result()["counts"], whole.result()["counts"])


def test_mistakes_are_reported():
    with pytest.raises(UserError, match="must be finite"):
        metrics.mode_coverage(np.eye(2), np.full((1, 2), np.nan))
    with pytest.raises(UserError, match="at least 1 image"):
        ModeCoverage().statistics(1).result()
