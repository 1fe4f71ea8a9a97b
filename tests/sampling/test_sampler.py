"""The sampler against direct calls of the generator."""

import dataclasses
import gc
import weakref

import gin
import numpy as np
import pytest

from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.errors import DivergenceError, UserError
from compare_gan.layers import StandardizeBatch, accumulating_standing_statistics
from compare_gan.layers.standing_statistics import reset_standing_statistics
from compare_gan.sampling import Sampler, StandingStatistics, labels_as_counted

Z_DIM, CLASSES = 4, 3


def _direct(sampler, z, labels):
    y = np.eye(CLASSES, dtype=np.float32)[labels]
    images = np.asarray(sampler.network((z, y), training=False))
    return np.round(images * 255).astype(np.uint8)


@pytest.mark.parametrize("batch_size", [1, 4, 10, 64])
def test_images_are_those_of_the_generator_for_any_batch_size(sampler, batch_size):
    images, labels = sampler.sample(10, seed=5, batch_size=batch_size)
    np.testing.assert_array_equal(labels, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    expected = _direct(sampler, sampler.draw_z(10, 5), labels)
    # Sums of four products may round differently at other batch sizes: by one level at most.
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert np.mean(images != expected) < 0.01
    assert images.dtype == np.uint8


def test_levels_are_rounded_to_the_nearest(unconditional):
    values = np.linspace(0.001, 0.999, 64)
    unconditional.network.dense.kernel.assign(np.zeros([Z_DIM, 64]))
    unconditional.network.dense.bias.assign(np.log(values / (1 - values)))
    images = unconditional.generate(np.zeros([2, Z_DIM], np.float32))
    np.testing.assert_array_equal(images[0].ravel(), np.round(values * 255))


def test_given_labels_are_drawn(sampler):
    labels = np.array([2, 2, 0, 1])
    images, returned = sampler.sample(4, 0, labels, batch_size=3)
    np.testing.assert_array_equal(returned, labels)
    expected = _direct(sampler, sampler.draw_z(4, 0), labels)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_classes_are_given_by_number_or_name_and_one_for_all_images(sampler):
    _, labels = sampler.sample(3, labels=["bright", "dark", "middle"])
    np.testing.assert_array_equal(labels, [2, 0, 1])
    for one in ("bright", 2, np.int64(2), [2, 2, 2]):
        _, labels = sampler.sample(3, labels=one)
        np.testing.assert_array_equal(labels, [2, 2, 2])
    named = dataclasses.replace(sampler, class_names=["2", "0", "1"])
    np.testing.assert_array_equal(named.sample(3, labels=["2", "0", "1"])[1], [0, 1, 2])
    np.testing.assert_array_equal(named.sample(3, labels=[2, 0, 1])[1], [2, 0, 1])


@pytest.mark.parametrize(
    ("labels", "sentence"),
    (
        ([1, 3], r"Unknown class '3'\. Known: 0…2, bright"),
        ([1, -1], "Unknown class '-1'"),
        (["dark", "midle"], "Unknown class 'midle'. Did you mean 'middle'"),
        ([0, 1, 2], r"one class or 2 classes, .* received an array of shape \[3\]"),
        ([[0, 1]], r"received an array of shape \[1, 2\]"),
        ([0.5, 1], r"numbers or names of classes, received 0\.5"),
        (True, "numbers or names of classes, received True"),
    ),
)
def test_classes_that_do_not_exist_are_refused(sampler, labels, sentence):
    with pytest.raises(UserError, match=sentence):
        sampler.sample(2, labels=labels)


def test_labels_of_an_unconditional_generator_are_refused(unconditional):
    with pytest.raises(UserError, match="unconditional: it draws images without labels"):
        unconditional.sample(2, labels=[0, 1])


def test_unconditional_sampling_has_no_labels(unconditional):
    images, labels = unconditional.sample(5, batch_size=2)
    assert labels is None and images.shape == (5, 8, 8, 1)


def test_each_batch_size_is_traced_once(sampler):
    for num in (8, 7, 20):
        sampler.sample(num, batch_size=4)
    assert sampler.network.traces == 1


def test_new_weights_take_effect(sampler):
    first, _ = sampler.sample(4)
    bias = sampler.network.dense.bias
    bias.assign(bias + 1.0)
    second, _ = sampler.sample(4)
    assert second.mean() > first.mean() + 20


def test_a_deleted_sampler_does_not_keep_its_network_alive(tiny_sampler):
    sampler = tiny_sampler()
    sampler.sample(4)
    reference = weakref.ref(sampler.network)
    del sampler
    gc.collect()
    assert reference() is None


def test_truncation_narrows_the_latents(sampler):
    whole = sampler.draw_z(1000, 0)
    narrow = dataclasses.replace(sampler, truncation=0.5).draw_z(1000, 0)
    assert whole.dtype == np.float32 and whole.shape == (1000, Z_DIM)
    assert np.abs(narrow).max() <= 0.5 < np.abs(whole).max() <= 1
    np.testing.assert_array_equal(whole, sampler.draw_z(1000, 0))
    assert not np.array_equal(whole, sampler.draw_z(1000, 1))


def test_latents_of_a_seed_are_those_recorded(sampler):
    """Scores and pictures of a seed must not change."""
    expected = [[0.6219625473022461, 0.5646729469299316, -0.7786438465118408, 0.8098716735839844]]
    np.testing.assert_array_equal(sampler.draw_z(1, 7), np.array(expected, np.float32))


def test_images_that_are_not_finite_are_refused(unconditional):
    unconditional.network.dense.bias.assign(np.full([64], np.nan))
    with pytest.raises(DivergenceError, match="3 of 3 in a batch"):
        unconditional.generate(np.zeros([3, Z_DIM], np.float32))


def _standing(**kwargs):
    settings = {"use_moving_averages": False, "epsilon": 1e-3}
    return StandardizeBatch(statistics=settings, **kwargs)


def test_standing_statistics_are_the_mean_moments_of_the_batches(tiny_sampler):
    options = StandingStatistics(num_batches=5, batch_size=6, seed=3)
    sampler = tiny_sampler(_standing(), standing_statistics=options)
    assert sampler.prepare() == "standing statistics of 5 batches of 6"
    z = sampler.draw_z(30, 3)
    y = np.eye(CLASSES, dtype=np.float32)[np.arange(30) % CLASSES]
    network = sampler.network
    h = np.asarray(network.dense(np.concatenate([z, y], axis=1))).reshape(5, 6, 64)
    accu = network.normalization.accu
    count = float(accu.accu_counter.numpy())
    assert count == 5
    # float32 sums of 30 values of order 1.
    np.testing.assert_allclose(accu.accu_mean / count, h.mean(1).mean(0), atol=1e-5)
    np.testing.assert_allclose(accu.accu_variance / count, h.var(1).mean(0), atol=1e-5)


def test_sampling_refreshes_standing_statistics_when_weights_have_changed(tiny_sampler):
    sampler = tiny_sampler(_standing())
    network = sampler.network
    sampler.sample(4)
    network.dense.kernel.assign(network.dense.kernel * 3.0)
    images, labels = sampler.sample(4)
    refreshed = network.normalization.accu.accu_variance.numpy()
    reset_standing_statistics(network)
    z = sampler.draw_z(6400, 0)
    y = np.eye(CLASSES, dtype=np.float32)[np.arange(6400) % CLASSES]
    with accumulating_standing_statistics(network):
        for i in range(0, 6400, 64):
            network((z[i : i + 64], y[i : i + 64]), training=False)
    np.testing.assert_allclose(
        refreshed, network.normalization.accu.accu_variance.numpy(), rtol=1e-4
    )
    expected = _direct(sampler, sampler.draw_z(4, 0), labels)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_generate_accumulates_missing_standing_statistics(tiny_sampler):
    sampler = tiny_sampler(_standing())
    z = sampler.draw_z(4, 0)
    labels = np.array([0, 1, 2, 0])
    images = sampler.generate(z, labels)
    expected, _ = sampler.sample(4, 0, labels)
    np.testing.assert_array_equal(images, expected)


def test_statistics_to_be_kept_are_accumulated_only_where_there_are_none(tiny_sampler):
    options = StandingStatistics(num_batches=2, batch_size=4, keep=True)
    sampler = tiny_sampler(_standing(), standing_statistics=options)
    assert sampler.prepare() == "standing statistics of 2 batches of 4"
    accu = sampler.network.normalization.accu
    accu.accu_mean.assign(accu.accu_mean + 1.0)
    before = accu.accu_mean.numpy()
    assert sampler.prepare() == "standing statistics as they were imported"
    np.testing.assert_array_equal(accu.accu_mean, before)


def test_other_generators_have_moving_averages(sampler):
    assert sampler.prepare() == "moving averages"


def test_gin_sets_how_standing_statistics_are_accumulated():
    gin.parse_config("standing_statistics.num_batches = 7\nstanding_statistics.keep = True")
    assert StandingStatistics() == StandingStatistics(7, 64, 0, True)
    with pytest.raises(UserError, match=r"standing_statistics\.batch_size must be a positive"):
        StandingStatistics(batch_size=0)


# The interface for metrics.


def _echo(inputs, training):
    assert training is False
    z, y = inputs
    return (z if y is None else y)[:, None, None, :]


def _echo_sampler(**options):
    return Sampler(_echo, 2, (1, 1, 2), **options)


def test_images_and_classes_for_metrics():
    conditional = _echo_sampler(num_classes=3)
    np.testing.assert_array_equal(conditional.labels(4).argmax(1), [0, 1, 2, 0])
    images = conditional(conditional.latents(4), conditional.labels(4))
    np.testing.assert_array_equal(images[:, 0, 0], np.eye(3)[[0, 1, 2, 0]])
    unconditional = _echo_sampler()
    assert unconditional.labels(4) is None
    z = unconditional.latents(4)
    np.testing.assert_array_equal(unconditional(z)[:, 0, 0], z)


def test_streams_and_seeds_are_repeatable_and_independent():
    first, second = (_echo_sampler(seed=seed) for seed in (0, 1))
    draws = [first.latents(3), first.latents(3, 0), first.latents(3, 1), first.latents(3, 1, 0)]
    draws.append(second.latents(3))
    assert len({z.tobytes() for z in draws}) == 5
    np.testing.assert_array_equal(first.latents(3, 1), first.latents(3, 1))


def test_the_marginal_is_that_of_the_truncated_latents():
    sampler = _echo_sampler(distribution=LatentDistribution(normal), truncation=0.25)
    assert sampler.marginal.support() == (-0.5, 0.5)
    assert np.abs(sampler.latents(100)).max() <= 0.5


def test_labels_with_the_frequencies_of_classes():
    labels = labels_as_counted(100, [60, 30, 0, 10])
    assert np.bincount(labels).tolist() == [60, 30, 0, 10]
    # Evenly mixed: each part has its share, within one image.
    for stop in (10, 33, 77):
        shares = np.bincount(labels[:stop], minlength=4) / stop
        assert np.abs(shares - [0.6, 0.3, 0, 0.1]).max() <= 1 / stop
    np.testing.assert_array_equal(labels_as_counted(12, [7, 7, 7]), np.arange(12) % 3)
    assert np.bincount(labels_as_counted(10, [1000, 1000, 1])).tolist() == [5, 5]
