"""Directions in which scores improve."""

import types

import pytest

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.metrics import Metric
from compare_gan.metrics.directions import better_direction


@pytest.mark.parametrize(
    "score, extractor, better",
    [
        ("fid", "inception", "lower"),
        ("fid_fashion_cnn", "fashion_cnn", "lower"),
        ("inception_score", "inception", "higher"),
        ("inception_score_std_over_splits", "inception", None),
        ("is_fashion_cnn", "fashion_cnn", "higher"),
        ("is_fashion_cnn_std_over_splits", "fashion_cnn", None),
        ("kid_full", "inception", "lower"),
        ("kid_standard_error", "inception", None),
        ("intra_fid_class_3", "inception", "lower"),
        ("precision_recall_inception_recall", "inception", "higher"),
        ("memorization_pixels", "none", "lower"),
        ("memorization_inception", "inception", "lower"),
        ("memorization_pixels_authenticity", "none", "higher"),
        ("sliced_wasserstein_16", "none", "lower"),
        ("sliced_wasserstein_real", "none", None),
        ("gilbo", "none", None),
        ("a_metric_of_somebody", "inception", None),
        ("fidelity", "inception", None),
    ],
)
def test_the_direction_of_a_score(score, extractor, better):
    assert better_direction(score, extractor) == better


def test_every_name_that_a_metric_gives_is_found():
    """The names of scores are made by `Metric.score_name`: whatever it returns has a direction."""
    for component in registry.components("metric"):
        for name, canonical in (("inception", True), ("resnet50", False)):
            extractor = types.SimpleNamespace(name=name, canonical=canonical)
            score = component.value().score_name(extractor)
            assert better_direction(score, name) == component.value.better, score


def test_another_direction_is_refused():
    with pytest.raises(UserError, match="`better` of Made must be 'lower', 'higher' or None"):
        type("Made", (Metric,), {"name": "made", "needs": frozenset(), "better": "smaller"})
