import weakref

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics.base import ImageBatch
from compare_gan.metrics.collected import CollectedFields


def test_batches_are_joined_in_order():
    features = np.random.default_rng(0).normal(size=[10, 3]).astype(np.float32)
    labels = np.arange(10)
    statistics = CollectedFields("features", "labels")
    for rows in (slice(0, 3), slice(3, 4), slice(4, 10)):
        statistics.update(ImageBatch(features=features[rows], labels=labels[rows]))
    result = statistics.result()
    np.testing.assert_array_equal(result["features"], features)
    np.testing.assert_array_equal(result["labels"], labels)


def test_parts_are_freed_when_they_are_joined():
    parts = [np.full([2, 3], i, np.float32) for i in range(3)]
    kept = [weakref.ref(part) for part in parts]
    statistics = CollectedFields("features")
    while parts:
        statistics.update(ImageBatch(features=parts.pop(0)))
    whole = statistics.result()["features"]
    assert [part() for part in kept] == [None] * 3
    assert statistics.result()["features"] is whole


def test_missing_and_non_finite_values_are_refused():
    with pytest.raises(UserError, match="needs labels"):
        CollectedFields("labels").update(ImageBatch(features=np.zeros([1, 2])))
    with pytest.raises(UserError, match="features must be finite"):
        CollectedFields("features").update(ImageBatch(features=np.array([[np.nan]])))
    with pytest.raises(UserError, match="at least 1 image, received none"):
        CollectedFields("features").result()
