"""Declarations of metrics, and the names of their scores."""

import types

import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import ClassAgreement, FrechetInceptionDistance, InceptionScore, Metric

_CANONICAL = types.SimpleNamespace(name="inception", canonical=True)
_OTHER = types.SimpleNamespace(name="other", canonical=False)


def test_names_of_scores_include_the_extractor_except_canonical_ones():
    metrics = [FrechetInceptionDistance(), InceptionScore(), ClassAgreement()]
    plain = [metric.score_name(_CANONICAL) for metric in metrics]
    assert plain == ["fid", "inception_score", "class_agreement_inception"]
    named = [metric.score_name(_OTHER) for metric in metrics]
    assert named == ["fid_other", "is_other", "class_agreement_other"]


def _metric(*needs):
    return type(
        "Made",
        (Metric,),
        {
            "name": "made",
            "needs": frozenset(needs),
            "statistics": lambda self, num_images: None,
            "value": lambda self: {},
        },
    )


def test_scores_without_an_extractor_have_their_own_name():
    metric = _metric("images")()
    assert metric.score_name(_OTHER) == "made"
    assert metric.named(_OTHER, {"": 1, "tail": 2}) == {"made": 1.0, "made_tail": 2.0}


def test_an_unknown_need_is_refused():
    with pytest.raises(UserError, match=r"Unknown need of Made 'feature'.*'features'"):
        _metric("feature")


def test_metrics_of_labels_need_a_conditional_generator():
    metric = _metric("labels")()
    assert metric.inapplicable(_OTHER, ["a"]) is None
    assert metric.inapplicable(_OTHER, None) == "the generator is unconditional"
