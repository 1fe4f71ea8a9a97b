"""Inception Score against its definition, TF-GAN and stored numbers of torch-fidelity."""

import os

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import ImageBatch, InceptionScore, inception_score
from compare_gan.metrics.classifier_score import EntropyStatistics

_GOLDEN = os.path.join(os.path.dirname(__file__), "..", "data", "metrics_golden.npz")


def _logits(n=103, k=7, scale=3.0):
    return scale * np.random.default_rng(0).normal(size=(n, k))


def _by_definition(logits):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return np.exp(np.mean(np.sum(p * (np.log(p) - np.log(p.mean(0))), axis=1)))


def test_stored_scores_of_torch_fidelity():
    with np.load(_GOLDEN, allow_pickle=False) as golden:
        logits = golden["logits"]
        # Both are float64 throughout.
        assert inception_score(logits)[0] == pytest.approx(golden["is_1"], rel=1e-12)
        mean, std = inception_score(logits, splits=10)
        assert mean == pytest.approx(golden["is_10_mean"], rel=1e-12)
        assert std == pytest.approx(golden["is_10_std"], rel=1e-11)


def test_definition():
    logits = _logits()
    assert inception_score(logits) == (pytest.approx(_by_definition(logits), rel=1e-12), 0.0)


def test_tfgan():
    from compare_gan.metrics import tfgan

    logits = _logits()
    theirs = float(tfgan.load().eval.classifier_score_from_logits(logits))
    assert inception_score(logits)[0] == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 10, 103])
def test_the_batch_size_has_no_effect(splits, batch_size):
    logits = _logits()
    statistics = EntropyStatistics(len(logits), splits)
    for i in range(0, len(logits), batch_size):
        statistics.update(ImageBatch(logits=logits[i : i + batch_size]))
    metric = InceptionScore(splits)
    value = metric.value(statistics.result())[""]
    parts = [logits[i * 103 // splits : (i + 1) * 103 // splits] for i in range(splits)]
    assert value == pytest.approx(np.mean([_by_definition(part) for part in parts]), rel=1e-12)


def test_the_order_has_no_effect_on_one_split():
    logits = _logits().astype(np.float32)
    order = np.random.default_rng(1).permutation(len(logits))
    assert inception_score(logits[order])[0] == pytest.approx(inception_score(logits)[0], rel=1e-12)


@pytest.mark.parametrize("shuffle_seed", [None, 2020])
def test_merged_statistics_are_those_of_the_whole(shuffle_seed):
    logits = _logits()
    options = len(logits), 4, shuffle_seed
    parts = []
    for first, last in ((0, 40), (40, 41), (41, 41), (41, 103)):
        part = EntropyStatistics(*options, first=first)
        part.update(ImageBatch(logits=logits[first:last]))
        parts.append(part)
    merged = EntropyStatistics(*options)
    merged.merge(parts[0])
    for part in parts[1:]:
        merged.add_state(part.state())
    order = np.arange(103)
    if shuffle_seed is not None:
        order = np.random.RandomState(shuffle_seed).permutation(103)
    scores = [_by_definition(logits[order[i * 103 // 4 : (i + 1) * 103 // 4]]) for i in range(4)]
    values = InceptionScore(4, shuffle_seed).value(merged.result())
    assert values == pytest.approx(
        {"": np.mean(scores), "std_over_splits": np.std(scores)}, rel=1e-12
    )
    with pytest.raises(UserError, match="merged only with the same options"):
        merged.merge(EntropyStatistics(103, 5, shuffle_seed))
    with pytest.raises(UserError, match="Expected 103 images, received 102"):
        parts[0].merge(parts[3])
        parts[0].result()


def test_bounds():
    sure = 1e4 * np.eye(5)  # Probabilities of exactly 0 and 1.
    assert inception_score(sure)[0] == pytest.approx(5.0, rel=1e-14)
    assert inception_score(np.zeros([4, 5]))[0] == pytest.approx(1.0, rel=1e-14)
    assert inception_score(sure[:1])[0] == pytest.approx(1.0, rel=1e-14)


@pytest.mark.parametrize(("n", "splits"), [(0, 1), (3, 4), (3, 0)])
def test_empty_splits_are_refused(n, splits):
    with pytest.raises(UserError, match=f"received {splits} splits of {n} images"):
        inception_score(np.zeros([n, 4]), splits)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(value):
    logits = _logits()
    logits[3, 2] = value
    with pytest.raises(UserError, match="must be finite"):
        inception_score(logits)


def test_an_unexpected_number_of_images_is_refused():
    statistics = EntropyStatistics(5)
    statistics.update(ImageBatch(logits=np.zeros([4, 2])))
    with pytest.raises(UserError, match="Expected 5 images, received 4"):
        statistics.result()
    with pytest.raises(UserError, match="Expected 5 images, received more"):
        statistics.update(ImageBatch(logits=np.zeros([2, 2])))


def test_splits_are_part_of_the_provenance():
    assert InceptionScore(10).options() == {"splits": 10}
    assert InceptionScore(10, 3).options() == {"splits": 10, "shuffle_seed": 3}
    names = {EntropyStatistics(100, *args).name for args in ((1,), (10,), (10, 3), (10, 4))}
    assert len(names) == 4
