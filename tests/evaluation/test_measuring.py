"""A measurement: averages, provenance, and all kinds of image sets."""

import dataclasses
import logging

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.evaluation.comparison import format_rows
from compare_gan.evaluation.image_sets import (
    GeneratedImages,
    SplitImages,
    open_images,
    renumbered,
)
from compare_gan.evaluation.measuring import measure
from compare_gan.evaluation.no_extractor import NO_EXTRACTOR
from compare_gan.evaluation.provenance import NOT_RECORDED
from compare_gan.evaluation.results import ResultRow, format_scores
from compare_gan.metrics import FrechetInceptionDistance, InceptionScore, Metric
from compare_gan.metrics.collected import CollectedFields
from compare_gan.metrics.extractors import Extractor


class Rows(Extractor):
    """Features: the first row of pixels; logits: the second."""

    name = "rows"
    weights_hash = "0"
    resizer = "none"

    def forward(self, images):
        x = tf.cast(images, tf.float32) / 255.0
        return x[:, 0, :3, 0], x[:, 1, :, 0]


class Labels(Metric):
    """Sum of the labels; draws nothing."""

    name = "labels"
    needs = frozenset({"labels"})

    def statistics(self, num_images):
        return CollectedFields("labels")

    def value(self, fake):
        return {"": fake["labels"].sum()}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))


def _generated(sampler, count=30, seeds=(4, 5)):
    return GeneratedImages.of(sampler, count, seeds, weights="raw")


def test_images_of_a_sampler_score_the_same_as_arrays_of_them(tiny_sampler, dataset):
    sampler, metrics = tiny_sampler(), [FrechetInceptionDistance(), InceptionScore()]
    reference = SplitImages.of(dataset, "train")
    row = measure(metrics, Rows(), reference, _generated(sampler), batch_size=8)
    each = [
        measure(metrics, Rows(), reference, open_images(sampler.sample(30, seed)), batch_size=8)
        for seed in (4, 5)
    ]
    for name, score in row.scores.items():
        values = [run.scores[name].mean for run in each]
        # Pixels of another batch size may round to the neighboring level.
        assert score.mean == pytest.approx(np.mean(values), rel=1e-3)
        assert score.std == pytest.approx(np.std(values), rel=0.05)
        assert all(run.scores[name].std == 0 for run in each)
    assert set(row.scores) == {"fid_rows", "is_rows"}
    assert row.metrics == ("fid", "is") and row.step is None


def test_provenance_records_the_facts_of_each_set(tiny_sampler, dataset):
    reference = SplitImages.of(dataset, "train", 50)
    fid = [FrechetInceptionDistance()]
    row = measure(fid, Rows(), reference, _generated(tiny_sampler()))
    found = row.provenance
    assert (found.dataset, found.split, found.num_real) == ("noise", "train", 50)
    assert (found.num_fake, found.seeds, found.resolution) == (30, [4, 5], "8x8x1")
    assert (found.weights, found.labels, found.truncation) == ("raw", "in turn", 1.0)
    assert found.latents == "uniform(minval=-1.0, maxval=1.0)"
    assert row.fake_hash == ""
    images = open_images(np.zeros([30, 8, 8, 1], np.uint8)).take(20, seed=7)
    row = measure(fid, Rows(), reference, images)
    assert (row.provenance.num_fake, row.provenance.seeds) == (20, [7])
    assert row.provenance.weights == row.provenance.latents == NOT_RECORDED
    assert row.provenance.dataset_hash == found.dataset_hash and len(row.fake_hash) == 16
    row = measure([InceptionScore()], Rows(), None, images)
    assert (row.provenance.dataset, row.provenance.num_real) == ("none", NOT_RECORDED)
    assert ResultRow.from_json(row.to_json()) == row


@pytest.mark.parametrize(("count", "warns"), ((3, True), (4, False)))
def test_fid_from_no_more_images_than_features_is_warned_about_once(
    count, warns, tiny_sampler, dataset, caplog
):
    with caplog.at_level(logging.WARNING, logger="compare_gan"):
        fake = _generated(tiny_sampler(), count)
        fid, reference = [FrechetInceptionDistance()], SplitImages.of(dataset, "train")
        row = measure(fid, Rows(), reference, fake)
    sentence = (
        "FID from 3 images and 3 features is strongly biased: use at least 4 images, or KID, which "
        "is not biased."
    )
    assert [r.getMessage() for r in caplog.records if "biased" in r.getMessage()] == (
        [sentence] * warns
    )
    assert list(row.notes) == [sentence] * warns
    assert ResultRow.from_json(row.to_json()).notes == row.notes
    assert (f"  Note: {sentence}" in format_scores([row])) is warns
    assert (f"Note on a: {sentence}" in format_rows([row], ["a"])) is warns


def test_generated_images_are_those_of_the_sampler(tiny_sampler):
    sampler = tiny_sampler()
    first, second = _generated(sampler)
    images, labels = sampler.sample(30, 5, batch_size=8)
    batches = list(second.batches(8))
    np.testing.assert_array_equal(np.concatenate([b.images for b in batches]), images)
    np.testing.assert_array_equal(np.concatenate([b.labels for b in batches]), labels)
    other_images, _ = sampler.sample(20, 4, batch_size=8)
    taken = first.take(20, seed=5)
    assert (taken.count, taken.seed) == (20, 4)
    np.testing.assert_array_equal(
        np.concatenate([b.images for b in taken.batches(8)]), other_images
    )
    extractor = Rows()
    seen = second.networks(extractor)["generator"]
    assert (seen.seed, seen.features) == (5, extractor.features_of)
    assert second.networks(NO_EXTRACTOR)["generator"].features is None
    # All seeds share one compiled function.
    assert sampler.network.traces == 1 and first.sampler is second.sampler


def test_the_sets_of_one_generator_have_their_own_seed_and_its_classes(tiny_sampler):
    unconditional, _ = _generated(tiny_sampler(num_classes=None))
    assert not unconditional.has_labels and unconditional.num_classes == 1
    assert unconditional.origin()["labels"] == "none"
    conditional, _ = _generated(tiny_sampler(class_names=["a", "b", "c"]))
    assert conditional.class_names == ("a", "b", "c") and conditional.num_classes == 3


def test_labels_can_be_renumbered():
    images = open_images((np.zeros([4, 8, 8, 1], np.uint8), np.array([0, 1, 1, 2])))
    other = renumbered(dataclasses.replace(images, name="a"), np.array([5, 0, 7]))
    assert (other.name, other.num_classes, other.dataset_name) == ("a", 3, "a")
    assert measure([Labels()], NO_EXTRACTOR, None, other).scores["labels"].mean == 12
    assert measure([Labels()], NO_EXTRACTOR, None, images).scores["labels"].mean == 4
    assert other.take(2, seed=0).count == 2
    assert renumbered(images, None) is images
