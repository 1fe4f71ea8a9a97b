"""Scores of two image sets equal those of the metric functions, however the images are stored."""

import dataclasses
import json
import tracemalloc

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf
from PIL import Image

from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.errors import UserError
from compare_gan.evaluation import comparison, protocols
from compare_gan.evaluation.image_sets import GeneratedImages, IndexedImages, open_images
from compare_gan.evaluation.results import ResultRow
from compare_gan.evaluation.scoring import score_sets
from compare_gan.metrics import (
    FrechetInceptionDistance,
    InceptionScore,
    Metric,
    class_agreement,
    gaussian_statistics,
    inception_score,
)
from compare_gan.metrics.collected import CollectedFields
from compare_gan.metrics.extractors import Extractor

_RNG = np.random.default_rng(0)
_REAL = _RNG.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
_FAKE = _RNG.integers(0, 200, (40, 8, 8, 1), dtype=np.uint8)
_LABELS = np.arange(40) % 3
_CLASSES = ("dark", "middle", "bright")


class Pixels(Extractor):
    """Features: the mean of each quarter of an image of any size; logits: pixels."""

    name = "pixels"
    weights_hash = "0"
    resizer = "means of quarters"
    class_names = _CLASSES

    def forward(self, images):
        x = tf.cast(images, tf.float32) / 255.0
        height, width = (size // 2 for size in images.shape[1:3])
        quarters = [x[:, :height, :width], x[:, height:, :width], x[:, :height, width:]]
        return tf.stack([tf.reduce_mean(q, [1, 2, 3]) for q in quarters], 1), 3 * x[:, 0, :3, 0]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(name="extractor", scope="module")
def _extractor():
    return Pixels()


def _fid(real_features, fake_features):
    """The FID computed by the metric from statistics."""
    sides = []
    for features in (real_features, fake_features):
        mean, covariance = gaussian_statistics(features)
        sides.append({"mean": mean, "covariance": covariance})
    return FrechetInceptionDistance().value(*sides)[""]


def _save(images, folder):
    folder.mkdir(parents=True)
    for i, image in enumerate(images):
        pixels = image[..., 0] if image.shape[-1] == 1 else image
        Image.fromarray(pixels).save(folder / f"{i:03}.png")
    return folder


def test_scores_are_those_of_the_functions(extractor, tmp_path):
    labelled = dataclasses.replace(open_images((_FAKE, _LABELS)), class_names=_CLASSES)
    result = score_sets(
        _save(_REAL, tmp_path / "real"), labelled,
        ["fid", "inception_score", "class_agreement"], extractor, batch_size=7,
    )  # fmt: skip
    (real, _), (fake, logits) = extractor(_REAL), extractor(_FAKE)
    assert set(result.scores) == {"fid_pixels", "is_pixels", "class_agreement_pixels"}
    # The same float32 features, summed in another order.
    assert result.scores["fid_pixels"] == pytest.approx(_fid(real, fake), rel=1e-6)
    assert result.scores["is_pixels"] == pytest.approx(inception_score(logits)[0], rel=1e-6)
    assert result.scores["class_agreement_pixels"] == class_agreement(logits, _LABELS)
    provenance = result.provenance
    assert (provenance.num_real, provenance.num_fake, provenance.resolution) == (60, 40, "8x8x1")
    assert (provenance.extractor, provenance.extractor_hash) == ("pixels", "0")
    assert (provenance.seeds, provenance.weights) == ([0], "not recorded")
    assert provenance.metric_options["is.splits"] == 1


def test_generated_images_are_scored_with_their_own_seed(extractor, tiny_sampler):
    sets = GeneratedImages.of(tiny_sampler(), 40, seeds=(5, 6), weights="raw")
    first, second = (score_sets(None, each, ["inception_score"], extractor) for each in sets)
    assert (first.provenance.seeds, second.provenance.seeds) == ([5], [6])
    assert first.scores != second.scores
    again = score_sets(None, sets[0], ["inception_score"], extractor, num_fake=40, seed=9)
    assert (again.scores, again.provenance) == (first.scores, first.provenance)
    fewer = score_sets(None, sets[0], ["inception_score"], extractor, num_fake=20)
    assert (fewer.provenance.seeds, fewer.provenance.num_fake) == ([5], 20)


def test_batch_size_storage_and_order_have_no_effect(extractor, tmp_path):
    np.savez(tmp_path / "fake.npz", samples=_FAKE)
    folder = _save(_FAKE[::-1], tmp_path / "fake")
    results = [
        score_sets(_REAL, fake, ["fid"], extractor, batch_size=batch_size, seed=seed)
        for fake, batch_size, seed in (
            (_FAKE, 40, 0),
            (folder, 3, 1),
            (tmp_path / "fake.npz", 7, 2),
        )
    ]
    for result in results[1:]:
        assert result.scores["fid_pixels"] == pytest.approx(
            results[0].scores["fid_pixels"], rel=1e-6
        )
        assert result.fake_hash == results[0].fake_hash
        assert result.provenance.dataset_hash == results[0].provenance.dataset_hash
    other = score_sets(_REAL, _FAKE, ["fid"], extractor, num_fake=39)
    assert other.fake_hash != results[0].fake_hash


def test_a_data_set_is_the_same_reference_as_in_evaluation(extractor, tmp_path):
    result = score_sets("fashion_mnist_10k", _FAKE, ["fid"], extractor, num_real=50)
    images, _ = as_arrays(get_dataset("fashion_mnist_10k"), num_examples=50)
    expected = _fid(extractor(images)[0], extractor(_FAKE)[0])
    assert result.scores["fid_pixels"] == pytest.approx(expected, rel=1e-6)
    assert (result.real, result.provenance.split) == ("fashion_mnist_10k:train", "train")
    assert result.provenance.resolution == "28x28x1 against 8x8x1"
    [cached] = (tmp_path / "cache").iterdir()
    assert cached.name.startswith("fashion_mnist_10k_gaussian")


def test_images_of_several_sizes_are_each_resized_by_the_extractor(extractor, tmp_path):
    images = [image[: 8 - i % 3, : 8 - i % 2] for i, image in enumerate(_FAKE)]
    result = score_sets(_REAL, _save(images, tmp_path / "fake"), ["fid"], extractor, batch_size=9)
    features = np.concatenate([extractor(image[None])[0] for image in images])
    # Means of a batch and of one image differ in the last digits of float32.
    expected = _fid(extractor(_REAL)[0], features)
    assert result.scores["fid_pixels"] == pytest.approx(expected, rel=1e-5)
    assert result.provenance.resolution == "8x8x1 against several sizes"


def test_statistics_of_other_programs_replace_images(extractor, tmp_path, caplog):
    mean, covariance = gaussian_statistics(extractor(_REAL)[0])
    np.savez(tmp_path / "real.npz", mu=mean, sigma=covariance)
    result = score_sets(tmp_path / "real.npz", _FAKE, ["fid"], extractor)
    expected = _fid(extractor(_REAL)[0], extractor(_FAKE)[0])
    assert result.scores["fid_pixels"] == pytest.approx(expected, rel=1e-6)
    assert result.provenance.num_real == "not recorded" and result.provenance.split == "statistics"
    swapped = score_sets(_FAKE, tmp_path / "real.npz", ["fid"], extractor)
    assert swapped.scores["fid_pixels"] == pytest.approx(expected, rel=1e-6)
    assert swapped.provenance.num_fake == "not recorded"
    assert swapped.fake_hash == result.provenance.dataset_hash
    # Missing records are pointed out.
    assert caplog.text.count(f"'{tmp_path / 'real.npz'}' does not record how its images were") == 2
    expected = f"means of quarters; of '{tmp_path / 'real.npz'}' not recorded"
    assert result.provenance.resizer == swapped.provenance.resizer == expected
    np.savez(tmp_path / "wide.npz", mu=np.zeros(5), sigma=np.eye(5))
    with pytest.raises(UserError, match="statistics of 5 features, but 'pixels' yields 3"):
        score_sets(tmp_path / "wide.npz", _FAKE, ["fid"], extractor)


def test_labels_of_folders_are_matched_by_class_name(extractor, tmp_path):
    for name, label in zip(_CLASSES, range(3), strict=True):
        _save(_FAKE[label::3], tmp_path / "fake" / name.upper())  # Sorted differently.
        _save(_REAL[label::3], tmp_path / "real" / name)
    with pytest.raises(UserError, match="classes of 'pixels' are not those"):
        score_sets(tmp_path / "real", tmp_path / "fake", ["class_agreement"], extractor)
    numbered = dataclasses.replace(open_images((_REAL, np.arange(60) % 3)), class_names=_CLASSES)
    result = score_sets(numbered, tmp_path / "fake", ["class_agreement"], extractor)
    expected = class_agreement(extractor(_FAKE)[1], _LABELS)
    assert result.scores["class_agreement_pixels"] == expected
    other = dataclasses.replace(numbered, class_names=("dark", "middle", "light"))
    with pytest.raises(UserError, match="has the class 'BRIGHT', which 'array' lacks"):
        score_sets(other, tmp_path / "fake", ["class_agreement"], extractor)


def test_scores_of_single_classes_have_the_names_of_these(extractor, tmp_path):
    """Fault: the folders are called `2` and `10`; which of them is `intra_fid_class_1`?

    Command: metrics --metrics intra_fid
    User sees: the scores intra_fid_class_2 and intra_fid_class_10; a note about the class '2'
    Exit code: 0
    Lost: nothing
    """
    for name, count in (("10", 4), ("2", 3)):
        _save(_REAL[:count], tmp_path / "real" / name)
        _save(_FAKE[:4], tmp_path / "fake" / name)
    result = score_sets(tmp_path / "real", tmp_path / "fake", ["intra_fid"], extractor)
    suffixes = {name.removeprefix("intra_fid_pixels") for name in result.scores}
    assert suffixes == {"", "_class_2", "_class_10"}
    assert "Intra-FID from 3 images of class 2 and 3 features" in result.row.notes[0]


class Difference(Metric):
    """Difference of mean levels; needs the images and draws a picture."""

    name = "difference"
    needs = frozenset({"images"})
    uses_real = True

    def statistics(self, num_images):
        return CollectedFields("images")

    def value(self, real, fake):
        return {"": real["images"].mean() - fake["images"].mean()}

    def pictures(self, real, fake):
        return {"first": PIL.Image.fromarray(fake["images"][0, ..., 0])}


def test_metrics_of_images_need_no_extractor_and_may_draw():
    result = score_sets(_REAL, _FAKE, [Difference()], "no such extractor", pictures=True)
    assert result.scores == {"difference": pytest.approx(_REAL.mean() - _FAKE.mean())}
    assert result.provenance.extractor == "none"
    assert result.pictures["difference_first"].size == (8, 8)
    assert not score_sets(_REAL, _FAKE, [Difference], "no such extractor").pictures


def test_the_number_of_classes_of_ms_ssims_pairs_is_recorded(tmp_path):
    images = np.repeat(np.repeat(_FAKE[:8], 2, axis=1), 2, axis=2)
    flat = score_sets(None, _save(images, tmp_path / "flat"), ["ms_ssim"])
    for i in range(2):
        _save(images[i::2], tmp_path / "shards" / f"0000{i}")
    shards = score_sets(None, tmp_path / "shards", ["ms_ssim"])
    assert flat.scores != shards.scores and flat.fake_hash != shards.fake_hash
    classes = [result.provenance.metric_options["ms_ssim.classes"] for result in (flat, shards)]
    assert classes == [1, 2]
    # If some images have no label, no labels are used.
    some = score_sets(None, (images, np.arange(8) % 2 - 1), ["ms_ssim"])
    assert some.fake_hash == flat.fake_hash
    assert some.provenance.metric_options["ms_ssim.classes"] == 1


def test_rows_record_exactly_what_scores_depend_on(extractor, tmp_path):
    _save(_FAKE, tmp_path / "fake" / "only")
    for i in range(2):
        _save(_REAL[i::2], tmp_path / "real" / "ab"[i])
        _save(_REAL[30 * i : 30 * i + 30], tmp_path / "other" / "ab"[i])
    sets = [tmp_path / "real", (_FAKE, np.arange(40) % 2)]
    sets[1] = dataclasses.replace(open_images(sets[1]), class_names=("a", "b"))
    few = score_sets(*sets, ["fid"], extractor)
    more = score_sets(*sets, ["fid", "intra_fid"], extractor)
    other = score_sets(tmp_path / "other", sets[1], ["fid", "intra_fid"], extractor)
    assert few.scores["fid_pixels"] == more.scores["fid_pixels"]
    rows = [ResultRow.from_json(result.to_json()) for result in (few, more, other)]
    assert comparison.warning(rows[:2], "ab") is None
    # The same images with other labels.
    assert few.provenance.dataset_hash == other.provenance.dataset_hash
    assert comparison.warning(rows[1:], "ab").count("intra_fid.real_labels") == 2
    # Splits have a fixed order: their seed is None.
    assert few.provenance.seeds == [0]
    splits = score_sets(None, "fashion_mnist_10k", [InceptionScore()], extractor, num_fake=9)
    assert splits.provenance.seeds == []


def test_two_metrics_of_the_same_name_are_refused(extractor):
    two = [InceptionScore(1), InceptionScore(10)]
    for metrics in (two, ["inception_score", two[1]], [two[1], "inception_score"]):
        with pytest.raises(UserError, match="scores of two metrics 'is' would have the same name"):
            score_sets(None, _FAKE, metrics, extractor)
    score_sets(None, _FAKE, ["inception_score", "inception_score"], extractor)


def test_float32_is_not_rounded(extractor):
    seen = []

    class Watching(Difference):
        def value(self, real, fake):
            seen.append(tf.config.experimental.tensor_float_32_execution_enabled())
            return super().value(real, fake)

    assert tf.config.experimental.tensor_float_32_execution_enabled()
    score_sets(_REAL, _FAKE, [Watching()], extractor)
    assert seen == [False] and tf.config.experimental.tensor_float_32_execution_enabled()


def test_the_json_can_be_read_as_a_row(extractor):
    result = score_sets(None, _FAKE, [InceptionScore(splits=2)], extractor, seed=3)
    values = json.loads(result.to_json())
    assert values["scores"] == result.scores and values["real"] == "none"
    assert values["version"] == 1
    row = ResultRow.from_json(result.to_json())
    assert row.step is None and row.provenance == result.provenance
    assert {name: score.mean for name, score in row.scores.items()} == result.scores


def test_a_protocol_fixes_numbers_split_and_metrics(extractor, monkeypatch):
    monkeypatch.setattr(Pixels, "resizer", "means of quarters")
    named = protocols.Protocol(
        "tiny", {"inception_score": {"splits": 2}, "fid": {}}, 30, "train", 50,
        extractor=lambda: extractor, resizer="means",
    )  # fmt: skip
    monkeypatch.setattr(protocols, "get", lambda name: {"tiny": named}[name])
    result = score_sets("fashion_mnist_10k", _FAKE, protocol="tiny")
    assert result.row.protocol_name == "tiny" and set(result.scores) >= {"is_pixels", "fid_pixels"}
    assert (result.provenance.num_real, result.provenance.num_fake) == (50, 30)
    assert result.provenance.metric_options["is.splits"] == 2
    with pytest.raises(UserError, match="'tiny' needs 30 fake images, but 'array' holds 20"):
        score_sets("fashion_mnist_10k", _FAKE[:20], protocol="tiny")
    with pytest.raises(UserError, match="sets num_fake: leave it out, received 5"):
        score_sets("fashion_mnist_10k", _FAKE, protocol="tiny", num_fake=5)
    monkeypatch.setattr(Pixels, "resizer", "clean")
    with pytest.raises(UserError, match="'tiny' resizes by 'means', but 'pixels' by 'clean'"):
        score_sets("fashion_mnist_10k", _FAKE, protocol="tiny")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    (
        (dict(metrics="fid"), "metrics must be a list of names, received 'fid'."),
        (dict(metrics=["fidd"]), "Unknown metric 'fidd'. Did you mean 'fid'"),
        (dict(real=None), "'fid' compares with real images, but none are given."),
        (dict(metrics=["class_agreement"]), "'class_agreement' needs labels, but 'array' has none"),
        (dict(num_fake=41), "'array' holds 40 images, fewer than 41."),
        (dict(batch_size=0), "batch_size must be a positive integer, received 0."),
        (dict(protocol="fid50k_trian"), "Unknown protocol 'fid50k_trian'. Did you mean 'fid50k_"),
        (dict(on_error="go on"), "Unknown on_error 'go on'."),
        (dict(real=_REAL[:, :4], metrics=[Difference]), "'Difference' compares images pixel by "
         "pixel, but the real images ('array') are 4x8x1, the fake images ('array') 8x8x1."),
        (dict(metrics=["kid"], num_real=30), "between 2 and the number of images, 30; received "
         "1000: set kid.subset_size, as by --gin_bindings 'kid.subset_size = 15'."),
        (dict(metrics=[InceptionScore(splits=50)]), "no more splits than images"),
    ),
)  # fmt: skip
def test_mistakes_are_found_before_images_are_read(extractor, monkeypatch, arguments, sentence):
    def read(*args):
        raise AssertionError("Images were read.")

    monkeypatch.setattr(IndexedImages, "batches", read)
    arguments = dict(real=_REAL, fake=_FAKE, metrics=["fid"], extractor=extractor) | arguments
    if "protocol" in arguments:
        del arguments["metrics"], arguments["extractor"]
    with pytest.raises(UserError) as error:
        score_sets(**arguments)
    assert sentence in str(error.value)


def test_reference_batches_with_statistics_of_more_images(extractor, tmp_path, caplog):
    """FID from the stored statistics, all else from the images; other extractors use the images.

    Fault: OpenAI's reference batches hold images, and statistics of more images, which were ignored
    Command: metrics
    User sees: with the Inception extractor, that FID uses the stored statistics, and the other
        metrics the images; with another extractor, that all scores use the images
    Exit code: 0
    Lost: nothing; the provenance says which
    """
    mean, covariance = np.array([0.1, 0.2, 0.3]), np.diag([0.1, 0.2, 0.3])
    for name, more in (("plain", {}), ("stored", {"mu": mean, "sigma": covariance})):
        np.savez(tmp_path / f"{name}.npz", arr_0=_REAL, **more)
    np.savez(tmp_path / "alone.npz", mu=mean, sigma=covariance)
    canonical = Pixels()
    canonical.canonical = True
    metrics = ["fid", "precision_recall"]

    def score(name, extractor, **options):
        return score_sets(tmp_path / f"{name}.npz", _FAKE, metrics, extractor, **options)

    plain, stored = (score(name, canonical) for name in ("plain", "stored"))
    assert "FID uses them" in caplog.text and "60 images" in caplog.text
    alone = score_sets(tmp_path / "alone.npz", _FAKE, ["fid"], canonical)
    assert stored.scores["fid"] == alone.scores["fid"] != plain.scores["fid"]
    for part in ("precision", "recall"):
        key = next(name for name in plain.scores if name.endswith(part))
        assert stored.scores[key] == plain.scores[key]
    used = open_images(tmp_path / "stored.npz").stored.content_hash
    assert stored.provenance.num_real == 60
    assert stored.provenance.metric_options["fid.stored_statistics"] == used
    assert stored.provenance.dataset_hash == plain.provenance.dataset_hash
    assert f'"{used}"' in comparison.warning([stored.row, plain.row], "ab")
    others = [
        score_sets(tmp_path / f"{name}.npz", _FAKE, ["precision_recall"], canonical).row
        for name in ("plain", "stored")
    ]
    assert comparison.warning([others[0], stored.row], "ab") is None
    assert comparison.warning(others, "ab") is None
    only_fid = score_sets(tmp_path / "stored.npz", _FAKE, ["fid"], canonical)
    assert comparison.warning([stored.row, only_fid.row], "ab") is None
    # Fewer images have other statistics, and so has another extractor.
    fewer = [score(name, canonical, num_real=50) for name in ("plain", "stored")]
    assert fewer[0].scores == fewer[1].scores
    caplog.clear()
    others = [score(name, extractor) for name in ("plain", "stored")]
    assert (
        "which are used only with the canonical Inception; with 'pixels' all scores use the 60"
        in caplog.text
    )
    assert others[0].scores == others[1].scores
    assert others[1].provenance.num_real == 60
    assert comparison.warning([each.row for each in others], "ab") is None
    np.savez(tmp_path / "wide.npz", arr_0=_REAL, mu=np.zeros(4), sigma=np.eye(4))
    assert score("wide", canonical).scores == plain.scores
    assert "of 4 features, 'pixels' yields 3: they are not used" in caplog.text


def test_given_statistics_serve_no_other_metric(extractor, tmp_path):
    np.savez(tmp_path / "a.npz", mu=np.zeros(3), sigma=np.eye(3))
    with pytest.raises(UserError, match=r"'Difference' needs images, but '.*' holds only a mean"):
        score_sets(tmp_path / "a.npz", _FAKE, [Difference], extractor)
    for sets, number in (("a.npz", _FAKE), "num_real"), ((_REAL, "a.npz"), "num_fake"):
        sets = [tmp_path / images if isinstance(images, str) else images for images in sets]
        with pytest.raises(UserError, match="2 images cannot be taken"):
            score_sets(*sets, ["fid"], extractor, **{number: 2})
    with pytest.raises(UserError, match="'fid10k_train' sets the number of images"):
        score_sets(tmp_path / "a.npz", _FAKE, protocol="fid10k_train")


def test_memory_does_not_grow_with_the_number_of_images(extractor):
    """The peak is the same for 8 times as many images, each read when it is needed."""

    def peak(count):
        images = IndexedImages(
            name="made",
            count=count,
            shape=(32, 32, 3),
            read=lambda i: np.full([32, 32, 3], i % 256, np.uint8),
            order=np.arange(count),
        )
        tracemalloc.start()
        score_sets(images, images, ["fid"], extractor, batch_size=10)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)  # Traces.
    few, many = peak(200), peak(1600)
    # All images take 5 MB, a batch 30 kB. Only the index of each image is stored.
    assert many < few + 500_000


def test_a_split_of_a_folder_is_recorded_as_one_of_a_data_set_is(extractor, tmp_path):
    for split, images in (("train", _REAL), ("test", _FAKE)):
        _save(images, tmp_path / "photos" / split)
    place = str(tmp_path / "photos")
    now, whole = (
        score_sets(f"{place}:{split}", _FAKE, ["fid"], extractor) for split in ("train", "all")
    )
    assert now.real == f"{place}:train"
    assert (now.provenance.dataset, now.provenance.split) == (place, "train")
    assert (whole.provenance.dataset, whole.provenance.split) == (place, "all")
    # Rows of earlier versions stay comparable: the images are the same.
    before = dataclasses.replace(now.provenance, dataset=f"{place}:train", split="all")
    rows = [now.row, dataclasses.replace(now.row, provenance=before)]
    assert comparison.warning(rows, "ab") is None
    assert "split is train (a), all (b)" in comparison.warning([now.row, whole.row], "ab")


def test_a_difference_in_resolution_is_noted(extractor, tmp_path, caplog):
    small = _FAKE[:, :4, :4]
    result = score_sets(_REAL, small, ["fid"], extractor)
    [note] = [text for text in result.row.notes if "resolution" in text]
    assert note.startswith(
        "The real images are 8x8x1, the fake images 4x4x1: the extractor resizes"
    )
    assert note in caplog.text and note in result.to_json()
    mixed = _save([*_FAKE, *small], tmp_path / "mixed")
    for real, fake, noted in (
        (_REAL, mixed, True), (mixed, mixed, False), (_REAL, _FAKE, False),
        (_REAL, np.repeat(_FAKE, 3, axis=-1), False),
    ):  # fmt: skip
        notes = score_sets(real, fake, ["fid"], extractor).row.notes
        assert any("resolution" in text for text in notes) == noted
    notes = score_sets(_REAL, small, ["inception_score"], extractor).row.notes
    assert not any("resolution" in text for text in notes)
