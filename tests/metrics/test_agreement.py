"""Class agreement."""

import types

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import ClassAgreement, ImageBatch, class_agreement


def test_share_of_matching_classes():
    logits = np.array([[2.0, 1.0], [0.0, 1.0], [3.0, -1.0], [0.0, 0.5]])
    assert class_agreement(logits, [0, 1, 1, 1]) == 0.75


def test_batches_are_added_up():
    statistics = ClassAgreement().statistics(4)
    for logits, labels in (([[1.0, 0.0]], [0]), ([[1.0, 0.0]] * 3, [1, 1, 0])):
        statistics.update(ImageBatch(logits=np.array(logits), labels=np.array(labels)))
    assert ClassAgreement().value(statistics.result()) == {"": 0.5}


def test_invalid_input_is_refused():
    with pytest.raises(UserError, match="needs the requested class"):
        class_agreement(np.zeros([2, 2]), None)
    with pytest.raises(UserError, match="at least 1 image"):
        class_agreement(np.zeros([0, 2]), [])
    with pytest.raises(UserError, match="must be finite"):
        class_agreement(np.array([[np.nan, 1.0]]), [1])


def test_it_applies_only_if_the_classes_are_the_same():
    extractor = types.SimpleNamespace(name="x", class_names=("T-shirt/top", "Bag"), has_logits=True)
    metric = ClassAgreement()
    assert metric.inapplicable(extractor, ["t_shirt_top", "bag"]) is None
    assert "unconditional" in metric.inapplicable(extractor, None)
    assert "not those of the data set" in metric.inapplicable(extractor, ["bag", "t-shirt/top"])
    extractor.class_names = None
    assert "not those of the data set" in metric.inapplicable(extractor, ["bag", "t-shirt/top"])
