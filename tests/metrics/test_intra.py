"""Intra-FID against the FID of each class."""

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import (
    ImageBatch,
    IntraFrechetInceptionDistance,
    frechet_distance,
    intra_frechet_distance,
)


def _sets():
    rng = np.random.default_rng(0)
    return {
        "real": (rng.normal(size=(60, 4)), np.repeat([2, 0, 7], 20)),
        "fake": (rng.normal(size=(33, 4)) + 1, np.tile([7, 2, 0], 11)),
    }


def test_each_class_and_their_mean():
    sets = _sets()
    metric = IntraFrechetInceptionDistance()
    results = {}
    for name, (features, labels) in sets.items():
        statistics = metric.statistics(len(features))
        statistics.update(ImageBatch(features=features, labels=labels))
        results[name] = statistics.result()
    values = metric.value(**results)
    (real, real_labels), (fake, fake_labels) = sets.values()
    expected = {
        f"class_{c}": frechet_distance(real[real_labels == c], fake[fake_labels == c])
        for c in (0, 2, 7)
    }
    assert values == {"": np.mean(list(expected.values()))} | expected


def test_swapped_classes_are_detected_although_fid_is_zero():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 50)
    x = rng.normal(size=(100, 3)) + 10 * labels[:, None]
    assert frechet_distance(x, x) < 1e-9
    exchanged = intra_frechet_distance(x, labels, x, 1 - labels)
    assert exchanged[0] == exchanged[1] == pytest.approx(300, rel=0.2)


def test_images_without_a_label_are_left_out():
    (real, real_labels), (fake, fake_labels) = _sets().values()
    kept = real_labels != 7
    some = intra_frechet_distance(
        real, np.where(kept, real_labels, -1), fake, np.where(fake_labels == 7, -1, fake_labels)
    )
    assert list(some) == [0, 2]
    whole = intra_frechet_distance(real, real_labels, fake, fake_labels)
    assert some == {c: whole[c] for c in some}


def test_invalid_input_is_refused():
    (real, real_labels), (fake, fake_labels) = _sets().values()
    few = np.where(np.arange(60) == 3, 5, real_labels)
    with pytest.raises(UserError, match="2 real images of each class, received 1 of class 5"):
        intra_frechet_distance(real, few, fake, fake_labels)
    with pytest.raises(UserError, match="2 generated images of each class, received 0 of class 0"):
        intra_frechet_distance(real, real_labels, fake, np.where(fake_labels, fake_labels, 2))
    with pytest.raises(UserError, match="no image has one"):
        intra_frechet_distance(real, -np.ones(60, int), fake, -np.ones(33, int))
    with pytest.raises(UserError, match=r"integers \[60\], received int64 \[59\]"):
        intra_frechet_distance(real, real_labels[:59], fake, fake_labels)
    with pytest.raises(UserError, match="needs labels"):
        IntraFrechetInceptionDistance().statistics(3).update(ImageBatch(features=real))


def test_scores_have_distinct_names_of_classes():
    labels = np.repeat(np.arange(4), 2)
    arrays = {"features": np.arange(8.0)[:, None], "labels": labels}
    for names, suffixes in (
        (["T-shirt/top", "caf\udce9", "犬", "2.5"], ["T-shirt_top", "caf_", "犬", "2.5"]),
        (["a b", "a_b", "a_b_0", "c"], ["a_b_0", "a_b_1", "a_b_0_2", "c_3"]),
    ):
        values = IntraFrechetInceptionDistance().value(arrays, arrays, names)
        assert list(values) == ["", *(f"class_{suffix}" for suffix in suffixes)]
    assert list(IntraFrechetInceptionDistance().value(arrays, arrays))[1:3] == [
        "class_0",
        "class_1",
    ]
