"""Evaluation end to end: rows against metrics computed by hand."""

import dataclasses

import gin
import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from compare_gan import metrics
from compare_gan.datasets import InfoCodes, eval_batches, get_dataset
from compare_gan.datasets.dataset import Dataset, InferredLabels
from compare_gan.datasets.latents import LatentDistribution
from compare_gan.datasets.sources import ArraySource
from compare_gan.errors import UserError
from compare_gan.evaluation import protocols
from compare_gan.evaluation.evaluate import evaluate_generator
from compare_gan.evaluation.evaluation_options import EvaluationOptions
from compare_gan.evaluation.provenance import NOT_RECORDED
from compare_gan.evaluation.results import ResultRow, provenance_differences
from compare_gan.metrics import (
    KernelInceptionDistance,
    Metric,
    Statistics,
    class_agreement,
    frechet_distance,
    inception_score,
)
from compare_gan.metrics.collected import CollectedFields
from compare_gan.metrics.extractors import Extractor, FashionCnn

CLASSES = 3
_LATENTS = LatentDistribution()


class Moments(Extractor):
    """Features: a few pixels; logits: classes by mean brightness."""

    name = "moments"
    weights_hash = "0"
    resizer = "none"
    class_names = ("dark", "Middle", "bright")

    def __init__(self):
        self.calls = 0

    def forward(self, images):
        x = tf.cast(images, tf.float32) / 255.0
        brightness = tf.reduce_mean(x, [1, 2, 3])[:, None]
        return x[:, 0, :, 0], -20 * tf.abs(brightness - tf.constant([0.5, 0.7, 0.85]))

    def __call__(self, images):
        self.calls += 1
        return super().__call__(images)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def extractor():
    extractor = Moments()
    _bind(extractor=lambda: extractor)
    return extractor


def _bind(**values):
    for name, value in values.items():
        gin.bind_parameter(f"evaluation.{name}", value)


def _evaluate(sampler, dataset, **kwargs):
    return evaluate_generator(sampler, dataset, EvaluationOptions(), step=7, **kwargs)


def test_scores_are_those_of_the_metrics_over_the_runs(tiny_sampler, dataset, extractor):
    _bind(num_fake=30, batch_size=8, seed=4)
    sampler = tiny_sampler()
    row = _evaluate(sampler, dataset, averaging_runs=2, weights="ema")
    images, _ = next(iter(eval_batches(dataset, "train", 60)))
    real = extractor(images)[0]
    expected = {"fid_moments": [], "is_moments": [], "class_agreement_moments": []}
    for seed in (4, 5):
        fakes, labels = sampler.sample(30, seed, batch_size=8)
        features, logits = extractor(fakes)
        expected["fid_moments"].append(frechet_distance(real, features))
        expected["is_moments"].append(inception_score(logits)[0])
        expected["class_agreement_moments"].append(class_agreement(logits, labels))
    assert set(row.scores) == set(expected)
    for name, values in expected.items():
        # The same float32 features; statistics are merged from different batches.
        assert row.scores[name].mean == pytest.approx(np.mean(values), rel=1e-6)
        assert row.scores[name].std == pytest.approx(np.std(values), rel=1e-4, abs=1e-9)
    assert row.step == 7 and row.scores["fid_moments"].std > 0
    provenance = row.provenance
    assert (provenance.dataset, provenance.split, provenance.num_real) == ("noise", "train", 60)
    assert (provenance.num_fake, provenance.resolution, provenance.weights) == (30, "8x8x1", "ema")
    assert (provenance.extractor, provenance.batch_norm) == ("moments", "moving averages")
    assert (provenance.seeds, provenance.labels) == ([4, 5], "in turn")
    assert provenance.metric_options == {"is.splits": 1}


def test_metrics_on_features_share_one_pass(tiny_sampler, dataset, extractor):
    names = ["kid", "prd", "precision_recall", "density_coverage", "vendi", "intra_fid"]
    _bind(metrics=names, num_fake=30, batch_size=30)
    gin.parse_config("kid.subset_size = 15\nkid.full_set = True\nprd.num_clusters = 5")
    sampler = tiny_sampler()
    row = _evaluate(sampler, dataset, averaging_runs=1)
    assert extractor.calls == 1 + 2  # One batch of generated images, two batches of real images.
    images, labels = next(iter(eval_batches(dataset, "train", 60)))
    real = extractor(images)[0]
    fakes, fake_labels = sampler.sample(30)
    fake = extractor(fakes)[0]
    kid = metrics.kernel_distance_of_subsets(real, fake, subset_size=15)
    curve = metrics.prd_curve(real, fake, num_clusters=5)
    classes = metrics.intra_frechet_distance(real, labels, fake, fake_labels)
    expected = {
        "kid_moments": kid.mean,
        "kid_moments_standard_error": kid.standard_error,
        "kid_moments_full": metrics.kernel_distance(real, fake),
        "prd_moments_f8": curve.f_beta(8),
        "prd_moments_f1_8": curve.f_beta(1 / 8),
        "vendi_moments": metrics.vendi_score(fake),
        "intra_fid_moments": np.mean(list(classes.values())),
    }
    names = dataset.class_names
    expected |= {f"intra_fid_moments_class_{names[c]}": value for c, value in classes.items()}
    for name in ("precision_recall", "density_coverage"):
        values = getattr(metrics, name)(real, fake)._asdict()
        expected |= {f"{name}_moments_{part}": value for part, value in values.items()}
    # Features of batches of another size may differ in the last float32 digit.
    assert {name: score.mean for name, score in row.scores.items()} == pytest.approx(
        expected, rel=1e-5
    )
    assert row.provenance.metric_options["kid.subset_size"] == 15


def test_the_batch_size_has_no_effect(tiny_sampler, dataset, extractor):
    sampler = tiny_sampler()
    rows = []
    for batch_size in (7, 60):
        _bind(batch_size=batch_size)
        rows.append(_evaluate(sampler, dataset, averaging_runs=1))
    assert not provenance_differences(*rows)
    for name in rows[0].scores:
        # A pixel may round to the neighbouring level in another batch size.
        assert rows[0].scores[name].mean == pytest.approx(rows[1].scores[name].mean, rel=1e-3)


def test_real_statistics_are_computed_once_and_then_cached(tiny_sampler, dataset, extractor):
    sampler = tiny_sampler()
    _bind(batch_size=30)
    first = _evaluate(sampler, dataset, averaging_runs=1)
    assert extractor.calls == 2 + 2
    second = _evaluate(sampler, dataset, averaging_runs=1)
    assert extractor.calls == 2 + 2 + 2
    assert first == second
    extractor.weights_hash = "1"
    _evaluate(sampler, dataset, averaging_runs=1)
    assert extractor.calls == 6 + 2 + 2


def test_class_agreement_is_left_out_where_it_has_no_meaning(tiny_sampler, dataset, extractor):
    unconditional = _evaluate(tiny_sampler(num_classes=None), dataset, averaging_runs=1)
    assert set(unconditional.scores) == {"fid_moments", "is_moments"}
    assert unconditional.provenance.labels == "none"
    extractor.class_names = ("a", "b", "c")
    other_classes = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert set(other_classes.scores) == {"fid_moments", "is_moments"}


def test_plain_names_belong_to_the_canonical_extractor(tiny_sampler, dataset, extractor):
    extractor.canonical = True
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert set(row.scores) == {"fid", "inception_score", "class_agreement_moments"}


class Levels(Statistics):
    name = "levels"

    def __init__(self):
        self.total = self.count = 0

    def update(self, batch):
        self.total += int(batch.images.sum())
        self.count += batch.images.size

    def result(self):
        return {"mean": np.array(self.total / self.count)}


class Brightness(Metric):
    """Mean level; needs no extractor."""

    name = "brightness"
    needs = frozenset({"images"})

    def statistics(self, num_images):
        return Levels()

    def value(self, fake):
        return {"": fake["mean"], "doubled": 2 * fake["mean"]}


class Networks(Metric):
    """Looks at the networks only."""

    name = "networks"
    needs = frozenset({"generator", "discriminator"})

    def statistics(self, num_images):
        return None

    def value(self, generator, discriminator):
        return {"": len(generator.network.variables) + discriminator}


def test_metrics_of_images_and_networks_need_no_extractor(tiny_sampler, dataset, extractor):
    _bind(metrics=[Brightness, Networks], num_fake=20)
    sampler = tiny_sampler()
    row = _evaluate(sampler, dataset, averaging_runs=1, discriminator=40)
    images, _ = sampler.sample(20)
    assert extractor.calls == 0
    assert row.scores["brightness"].mean == pytest.approx(images.mean(), abs=0.01)
    assert row.scores["brightness_doubled"].mean == 2 * row.scores["brightness"].mean
    assert row.scores["networks"].mean == 42
    without = _evaluate(sampler, dataset, averaging_runs=1)
    assert "networks" not in without.scores


class Large(Brightness):
    """Needs larger images than there are."""

    def inapplicable_to(self, image_shape):
        return None if image_shape[0] > 8 else "the images are small"


class Draws(Metric):
    """Returns what it receives from the generator as values."""

    name = "draws"
    needs = frozenset({"generator", "features"})

    def statistics(self, num_images):
        return None

    def value(self, generator):
        z, y = generator.latents(CLASSES), generator.labels(CLASSES)
        images = generator(z, y)
        return {
            "latent": generator.draw_z(1, 3)[0, 0],
            "image": images[0, 0, 0, 0],
            "feature": generator.features(images)[0, 0],
            "high": generator.marginal.support()[1],
            "seed": generator.seed,
        }


def test_without_any_metric_that_applies_the_error_gives_the_reasons(
    tiny_sampler, dataset, extractor, caplog
):
    _bind(metrics=[Large])
    with (
        caplog.at_level("INFO"),
        pytest.raises(
            UserError,
            match=r"None of the metrics in evaluation\.metrics can be applied to this generator "
            r"\(brightness: the images are small\): choose others",
        ),
    ):
        _evaluate(tiny_sampler(), dataset)
    assert "is left out: the images are small." in caplog.text


def test_metrics_of_the_generator_see_a_sampler(tiny_sampler, dataset, extractor):
    _bind(metrics=[Draws, Brightness, Large], truncation=0.5, seed=4, num_fake=20)
    sampler = tiny_sampler()
    row = _evaluate(sampler, dataset, averaging_runs=1)
    scores = {name: score.mean for name, score in row.scores.items()}
    # Only the sampler requests features.
    assert extractor.calls == 0
    # `Large` has the same name as `Brightness`: its values would appear twice.
    assert set(scores) == {
        "brightness",
        "brightness_doubled",
        *(f"draws_moments_{name}" for name in ("latent", "image", "feature", "high", "seed")),
    }
    assert (
        scores["draws_moments_latent"]
        == dataclasses.replace(sampler, truncation=0.5).draw_z(1, 3)[0, 0]
    )
    assert (scores["draws_moments_high"], scores["draws_moments_seed"]) == (0.5, 4)
    # A feature of this extractor is a pixel, here without rounding to 8 bits.
    image, feature = scores["draws_moments_image"], scores["draws_moments_feature"]
    assert feature == pytest.approx(image, rel=1e-6)
    assert abs(255 * image - np.round(255 * image)) > 1e-3


def test_metrics_of_images_and_of_the_generator_by_name(tiny_sampler, dataset, extractor):
    names = ["ms_ssim", "fractal_dimension", "memorization", "memorization_pixels", "ppl"]
    _bind(metrics=[*names, "jacobian_conditioning"], num_fake=40)
    for name, value in (("ppl.num_samples", 30), ("jacobian_conditioning.num_samples", 2)):
        gin.bind_parameter(name, value)
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    # MS-SSIM is left out: the images are too small for it.
    assert set(row.scores) == {
        "fractal_dimension_moments",
        "fractal_dimension_moments_real",
        "memorization_moments",
        "memorization_moments_authenticity",
        "memorization_pixels",
        "memorization_pixels_authenticity",
        "ppl_moments",
        "jacobian_conditioning",
        "jacobian_conditioning_logdet",
        "jacobian_conditioning_of_mean",
        "jacobian_conditioning_logdet_of_mean",
    }
    assert row.provenance.metric_options["ppl.num_samples"] == 30
    assert "ms_ssim.seed" not in row.provenance.metric_options


def test_mistakes_are_reported_before_work_starts(tiny_sampler, dataset):
    _bind(metrics=["fit"])
    with pytest.raises(UserError, match=r"Unknown metric 'fit'\. Did you mean 'fid'"):
        _evaluate(tiny_sampler(), dataset)
    with pytest.raises(UserError, match="must be a list"):
        EvaluationOptions(metrics="fid")
    with pytest.raises(UserError, match="num_fake must be a positive integer"):
        EvaluationOptions(num_fake=0)
    with pytest.raises(UserError, match="truncation must be above 0"):
        EvaluationOptions(truncation=0.0)


@pytest.mark.parametrize(
    ("metrics", "binding", "counts", "sentence"),
    [
        (
            ["fid", "kid"],
            "kid.subset_size = 31",
            dict(num_fake=30),
            "KID's subset_size .* images, 30;",
        ),
        (["fid", "kid"], "kid.subset_size = 41", dict(num_real=40, num_fake=50), "KID's .*, 40;"),
        (
            ["inception_score"],
            "inception_score.splits = 9",
            dict(num_fake=8),
            "received 9 splits of 8 images",
        ),
        (
            ["precision_recall"],
            "precision_recall.k = 20",
            dict(num_fake=20),
            "k = 20 needs at least 21 images",
        ),
    ],
)
def test_too_few_images_are_reported_before_training(
    dataset, extractor, metrics, binding, counts, sentence
):
    _bind(metrics=metrics, **counts)
    gin.parse_config(binding)
    with pytest.raises(UserError, match=sentence):
        EvaluationOptions().check(dataset, _LATENTS, z_dim=4)


@pytest.fixture(name="unequal")
def _unequal():
    """Classes of 40, 15 and 5 images."""
    images = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    labels = np.repeat(np.arange(3, dtype=np.int32), [40, 15, 5])
    return Dataset("noise", ArraySource.from_arrays({"train": (images, labels)}))


class ClassSizes(Metric):
    """Number of images of each class that was requested."""

    name = "class_sizes"
    needs = frozenset({"labels"})

    def statistics(self, num_images):
        return CollectedFields("labels")

    def value(self, fake):
        counts = np.bincount(fake["labels"], minlength=CLASSES)
        return {f"{i}": count for i, count in enumerate(counts)}


def _sizes(row):
    return [int(score.mean) for score in row.scores.values()]


def test_classes_are_as_frequent_as_in_the_data_or_take_turns(
    tiny_sampler, unequal, dataset, extractor
):
    """Fault: classes differ in size, and generated images took turns over the classes.

    Command: train, eval
    User sees: `"labels": "as in the data"` in the provenance; with `evaluation.labels = "in turn"`
        that, which `compare` does not compare with the other
    Exit code: 0
    Lost: nothing: generated images have the frequencies of the reference's classes
    """
    _bind(metrics=[ClassSizes], num_fake=24)
    row = _evaluate(tiny_sampler(), unequal, averaging_runs=1)
    assert _sizes(row) == [16, 6, 2] and row.provenance.labels == "as in the data"
    assert EvaluationOptions().matches(row, unequal, _LATENTS, 1)
    balanced = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert _sizes(balanced) == [8, 8, 8] and balanced.provenance.labels == "in turn"
    _bind(labels="in turn")
    in_turn = _evaluate(tiny_sampler(), unequal, averaging_runs=1)
    assert _sizes(in_turn) == [8, 8, 8] and in_turn.provenance.labels == "in turn"
    assert not EvaluationOptions().matches(row, unequal, _LATENTS, 1)
    assert list(provenance_differences(row, in_turn)) == ["labels"]
    _bind(labels="in_turn")
    with pytest.raises(UserError, match="Did you mean 'in turn'"):
        EvaluationOptions()


def test_frequencies_come_from_the_whole_split(unequal, dataset):
    """In a part of a split whose classes are equally large they may differ by chance."""
    _bind(num_real=25)
    assert EvaluationOptions().class_counts(dataset) is None
    assert EvaluationOptions().class_counts(unequal) == (40, 15, 5)
    clusters = dataclasses.replace(unequal, inferred=InferredLabels(num_clusters=CLASSES))
    assert EvaluationOptions().class_counts(clusters) is None


def test_classes_are_counted_only_if_all_else_matches(
    tiny_sampler, unequal, extractor, monkeypatch
):
    _bind(metrics=[ClassSizes], num_fake=24)
    row = _evaluate(tiny_sampler(), unequal, averaging_runs=1)
    none = dataclasses.replace(row, provenance=dataclasses.replace(row.provenance, labels="none"))
    counted = []

    def count(*args):
        counted.append(args)
        return np.array([40, 15, 5])

    monkeypatch.setattr("compare_gan.evaluation.evaluation_options.class_counts", count)
    options = EvaluationOptions()
    assert options.matches(none, unequal, _LATENTS, 1)
    assert not options.matches(dataclasses.replace(row, metrics=()), unequal, _LATENTS, 1)
    assert not counted
    assert options.matches(row, unequal, _LATENTS, 1) and len(counted) == 1


def test_a_row_matches_only_with_the_background_of_the_data(tiny_sampler, dataset, extractor):
    """Another `dataset.background` gives other images where some are transparent."""
    _bind(metrics=[ClassSizes], num_fake=24)
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert row.provenance.background == "none"
    transparent = dataclasses.replace(
        dataset, source=dataclasses.replace(dataset.source, background="black")
    )
    cases = [
        (dataset, "none", True), (dataset, NOT_RECORDED, True), (dataset, "white", False),
        (transparent, "black", True), (transparent, "white", False), (transparent, "none", False),
        (transparent, NOT_RECORDED, False),
    ]  # fmt: skip
    for data, background, current in cases:
        provenance = dataclasses.replace(row.provenance, background=background)
        changed = dataclasses.replace(row, provenance=provenance)
        assert EvaluationOptions().matches(changed, data, _LATENTS, 1) is current, background


def test_latents_are_checked_in_their_dimension(dataset, extractor):
    latents = LatentDistribution(InfoCodes(categories=(3,), continuous=1))
    with pytest.raises(UserError, match="z_dim must be at least 4, received 3"):
        EvaluationOptions().check(dataset, latents, z_dim=3)


def test_truncation_of_styles_leaves_latents_alone(dataset, extractor):
    def fixed(shape, seed):
        return np.zeros(shape, np.float32)

    def truncating(inputs, training, truncation):
        raise AssertionError("No image is drawn.")

    _bind(metrics=[Draws], truncation=0.7)
    options, latents = EvaluationOptions(), LatentDistribution(fixed)
    options.check(dataset, latents, z_dim=4, network=truncating)
    with pytest.raises(UserError, match="no parameter 'truncation'"):
        options.check(dataset, latents, z_dim=4)


def test_a_calibration_without_held_out_images_is_refused(extractor):
    _bind(metrics=[Draws], refinement="metropolis_hastings", num_real=40)
    with pytest.raises(UserError, match="'fashion_mnist_10k' has no split besides"):
        EvaluationOptions().check(get_dataset("fashion_mnist_10k"), _LATENTS, z_dim=4)
    gin.bind_parameter("metropolis_hastings.slope", 1)
    EvaluationOptions().check(get_dataset("fashion_mnist_10k"), _LATENTS, z_dim=4)


def test_metrics_see_the_dimension_of_the_latent(dataset, extractor):
    class Narrow(ClassSizes):
        def inapplicable_to_generator(self, generator):
            return f"z has {generator.z_dim} dimensions"

    _bind(metrics=[Narrow], num_fake=24)
    with pytest.raises(UserError, match="z has 5 dimensions"):
        EvaluationOptions().check(dataset, _LATENTS, z_dim=5)


@pytest.mark.parametrize(
    ("metrics", "counts", "sentence"),
    [
        (["prd"], dict(num_fake=9), "2 x 9 images for 20 clusters: set prd.num_clusters"),
        (["intra_fid"], dict(num_fake=15), "at least 2 generated images .* received 1 of class 2"),
        (["intra_fid"], dict(num_fake=5, labels="in turn"), "received 1 of class 2: use more"),
        (["fid"], dict(num_fake=1), "FID needs at least 2 generated images, received 1"),
        (["fractal_dimension"], dict(num_fake=2), "at least 3 generated images, received 2"),
    ],
)
def test_metrics_state_how_many_images_they_need(unequal, extractor, metrics, counts, sentence):
    _bind(metrics=metrics, **counts)
    with pytest.raises(UserError, match=sentence):
        EvaluationOptions().check(unequal, _LATENTS, z_dim=4)


def test_metrics_without_meaning_are_found_before_training(unequal, extractor):
    _bind(metrics=["intra_fid", "class_agreement"], num_fake=30)
    with pytest.raises(UserError, match=r"can be applied .*intra_fid_moments: the generator is un"):
        EvaluationOptions().check(unequal, _LATENTS, conditional=False, z_dim=4)


def test_float32_is_not_rounded(tiny_sampler, dataset, extractor):
    """Full float32 precision in the generator, the extractor and metrics that call them."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    seen, forward = [], extractor.forward
    extractor.forward = lambda images: (seen.append(enabled()), forward(images))[1]
    _bind(num_fake=20)
    _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert set(seen) == {False} and enabled()


def test_rows_of_an_extractor_with_its_own_identifier_are_recognized(
    tiny_sampler, dataset, tmp_path
):
    path = str(tmp_path / "mine.keras")
    inputs = keras.Input((None, None, 1))
    keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs)).save(path)
    _bind(extractor="keras_model")
    gin.bind_parameter("keras_model.path", path)
    gin.bind_parameter("keras_model.name", "mine")
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert list(row.scores) == ["fid_mine"] and row.provenance.extractor == "mine"
    assert EvaluationOptions().matches(row, dataset, _LATENTS, 1)
    gin.bind_parameter("keras_model.name", "other")
    assert not EvaluationOptions().matches(row, dataset, _LATENTS, 1)


def test_a_split_that_does_not_exist_is_refused(tiny_sampler, dataset, extractor):
    _bind(split="trian")
    with pytest.raises(UserError, match="Did you mean 'train'"):
        _evaluate(tiny_sampler(), dataset)


@pytest.mark.parametrize("name", ["fashion_mnist_10k", "fashion-mnist", "fashion_mnist"])
def test_fashion_mnist_gets_its_own_extractor(name):
    assert isinstance(EvaluationOptions().make_extractor(name), FashionCnn)


def test_classes_of_real_images_are_not_compared_with_clusters(
    tiny_sampler, dataset, extractor, caplog
):
    _bind(metrics=["fid", "intra_fid"], num_fake=30)
    clusters = dataclasses.replace(dataset, inferred=InferredLabels(num_clusters=CLASSES))
    with caplog.at_level("INFO"):
        row = _evaluate(tiny_sampler(), clusters, averaging_runs=1)
    assert list(row.scores) == ["fid_moments"]
    assert "intra_fid_moments is left out: the generator's labels are clusters" in caplog.text
    # Inferred classes are classes.
    inferred = dataclasses.replace(dataset, inferred=InferredLabels())
    row = _evaluate(tiny_sampler(), inferred, averaging_runs=1)
    assert "intra_fid_moments" in row.scores


class Drawing(Brightness):
    """Draws a picture of what it has seen."""

    name = "drawing"

    def pictures(self, fake):
        return {"": PIL.Image.new("L", (3, 2), int(fake["mean"]))}


def test_pictures_of_the_first_set_of_samples_are_written_on_request(
    tiny_sampler, dataset, extractor, tmp_path
):
    _bind(metrics=[Drawing], num_fake=20)
    folder = tmp_path / "metrics"
    _evaluate(tiny_sampler(), dataset, averaging_runs=1, pictures_dir=str(folder))
    assert not folder.exists()
    _bind(pictures=True)
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=2, pictures_dir=str(folder))
    assert [path.name for path in folder.iterdir()] == ["step_7_drawing.png"]
    with PIL.Image.open(folder / "step_7_drawing.png") as picture:
        assert picture.size == (3, 2)
        assert picture.getpixel((0, 0))[0] == pytest.approx(row.scores["drawing"].mean, abs=2)


def test_a_named_protocol_sets_the_options_and_is_in_the_row(tiny_sampler, dataset, monkeypatch):
    extractor = Moments()
    tiny = protocols.Protocol(
        "tiny", {"inception_score": {"splits": 2}}, 30, "train", 50,
        extractor=lambda: extractor, resizer="none",
    )  # fmt: skip
    monkeypatch.setattr(protocols, "get", lambda name: {"tiny": tiny}[name])
    _bind(protocol="tiny")
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    assert row.protocol_name == "tiny" and row.metrics == ("inception_score",)
    assert (row.provenance.num_real, row.provenance.num_fake) == (50, 30)
    assert row.provenance.metric_options["is.splits"] == 2
    _bind(num_fake=20)
    with pytest.raises(UserError, match=r"'tiny' sets evaluation\.num_fake to 30: leave it out"):
        EvaluationOptions()
    _bind(num_fake=30, metrics=["inception_score"])
    large = dataclasses.replace(tiny, num_real=61)
    monkeypatch.setattr(protocols, "get", lambda name: large)
    with pytest.raises(UserError, match="'tiny' needs 61 real images, but 'noise:train' holds 60"):
        EvaluationOptions().check(dataset, _LATENTS, z_dim=4)
    monkeypatch.setattr(protocols, "get", lambda name: dataclasses.replace(tiny, split="test"))
    with pytest.raises(UserError, match="compares with the split 'test', which 'noise' lacks"):
        EvaluationOptions().check(dataset, _LATENTS, z_dim=4)


def test_a_row_matches_only_under_its_protocol(tiny_sampler, dataset, extractor):
    _bind(num_fake=20)
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    options = EvaluationOptions()
    assert options.matches(row, dataset, _LATENTS, 1)
    assert not options.matches(dataclasses.replace(row, protocol_name="x"), dataset, _LATENTS, 1)


def test_a_row_matches_only_with_the_same_options_and_extractor(tiny_sampler, dataset, extractor):
    subsets = dict(subset_size=5, num_subsets=2)
    _bind(num_fake=20, metrics=["inception_score", lambda: KernelInceptionDistance(**subsets)])
    row = _evaluate(tiny_sampler(), dataset, averaging_runs=1)
    row = ResultRow.from_json(row.to_json())

    def matches(row=row):
        return EvaluationOptions().matches(row, dataset, _LATENTS, 1)

    assert matches()
    subsets["subset_size"] = 6
    assert not matches()
    subsets["subset_size"] = 5
    for name in ("name", "resizer", "weights_hash"):
        before = getattr(extractor, name)
        setattr(extractor, name, "other")
        assert not matches()
        setattr(extractor, name, before)
    subsets["full_set"] = True  # A score that is added to existing ones.
    assert not matches()
    subsets["full_set"] = False
    assert matches()
    gin.bind_parameter("inception_score.splits", 2)
    assert not matches()
    # A metric that does not apply to the generator leaves no options in the row.
    options = {k: v for k, v in row.provenance.metric_options.items() if not k.startswith("is.")}
    without = dataclasses.replace(row.provenance, metric_options=options)
    assert matches(dataclasses.replace(row, provenance=without))
    old = dataclasses.replace(row.provenance, metric_options=NOT_RECORDED)
    assert not matches(dataclasses.replace(row, provenance=old))
