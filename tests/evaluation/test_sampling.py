"""Sampling: against the generator called directly."""

import gc
import weakref

import numpy as np
import pytest

from compare_gan.errors import DivergenceError
from compare_gan.evaluation import sampling
from compare_gan.layers import StandardizeBatch, accumulating_standing_statistics
from compare_gan.layers.standing_statistics import reset_standing_statistics

Z_DIM, CLASSES = 4, 3


def _direct(generator, z, labels):
    y = np.eye(CLASSES, dtype=np.float32)[labels]
    images = np.asarray(generator((z, y), training=False))
    return np.round(images * 255).astype(np.uint8)


@pytest.mark.parametrize("batch_size", [1, 4, 10, 64])
def test_images_are_those_of_the_generator_for_any_batch_size(make_generator, batch_size):
    generator = make_generator()
    images, labels = sampling.sample_images(generator, 10, batch_size, Z_DIM, CLASSES, seed=5)
    np.testing.assert_array_equal(labels, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    expected = _direct(generator, sampling.sample_latents(10, Z_DIM, 5), labels)
    # Sums of four products may round differently in other batch sizes: by one level at most.
    assert np.abs(images.astype(int) - expected).max() <= 1
    assert np.mean(images != expected) < 0.01
    assert images.dtype == np.uint8


def test_levels_are_rounded_to_the_nearest(make_generator):
    generator = make_generator(conditional=False)
    values = np.linspace(0.001, 0.999, 64)
    generator.dense.kernel.assign(np.zeros([Z_DIM, 64]))
    generator.dense.bias.assign(np.log(values / (1 - values)))
    images = sampling.generate(generator, np.zeros([2, Z_DIM], np.float32), None, None)
    np.testing.assert_array_equal(images[0].ravel(), np.round(values * 255))


def test_given_labels_are_drawn(make_generator):
    generator = make_generator()
    labels = np.array([2, 2, 0, 1])
    images, returned = sampling.sample_images(generator, 4, 3, Z_DIM, CLASSES, 0, labels)
    np.testing.assert_array_equal(returned, labels)
    expected = _direct(generator, sampling.sample_latents(4, Z_DIM, 0), labels)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_unconditional_sampling_has_no_labels(make_generator):
    images, labels = sampling.sample_images(
        make_generator(conditional=False), 5, 2, Z_DIM, None, seed=0
    )
    assert labels is None and images.shape == (5, 8, 8, 1)


def test_a_batch_size_is_traced_once(make_generator):
    generator = make_generator()
    for num in (8, 7, 20):
        sampling.sample_images(generator, num, 4, Z_DIM, CLASSES, seed=0)
    assert generator.traces == 1


def test_one_batch_is_made_ahead_and_no_more(make_generator, monkeypatch):
    generator, made = make_generator(), []
    sampler = sampling._sampler(generator)
    monkeypatch.setitem(
        sampling._samplers, generator, lambda *args: (made.append(1), sampler(*args))[1]
    )
    z, labels = sampling.sample_latents(18, Z_DIM, 0), np.arange(18) % CLASSES
    ahead = [
        (len(images), len(made))
        for images in sampling.generate_batches(generator, z, labels, CLASSES, 4)
    ]
    assert ahead == [(4, 2), (4, 3), (4, 4), (4, 5), (2, 5)]


def test_new_weights_are_seen(make_generator):
    generator = make_generator()
    first, _ = sampling.sample_images(generator, 4, 4, Z_DIM, CLASSES, seed=0)
    generator.dense.bias.assign(generator.dense.bias + 1.0)
    second, _ = sampling.sample_images(generator, 4, 4, Z_DIM, CLASSES, seed=0)
    assert second.mean() > first.mean() + 20


def test_the_sampler_does_not_keep_the_generator_alive(make_generator):
    generator = make_generator()
    sampling.sample_images(generator, 4, 4, Z_DIM, CLASSES, seed=0)
    reference = weakref.ref(generator)
    del generator
    gc.collect()
    assert reference() is None


def test_truncation_narrows_the_latents():
    whole = sampling.sample_latents(1000, Z_DIM, 0)
    narrow = sampling.sample_latents(1000, Z_DIM, 0, 0.5)
    assert whole.dtype == np.float32 and whole.shape == (1000, Z_DIM)
    assert np.abs(narrow).max() <= 0.5 < np.abs(whole).max() <= 1
    np.testing.assert_array_equal(whole, sampling.sample_latents(1000, Z_DIM, 0))
    assert not np.array_equal(whole, sampling.sample_latents(1000, Z_DIM, 1))


def test_images_that_are_not_finite_are_refused(make_generator):
    generator = make_generator(conditional=False)
    generator.dense.bias.assign(np.full([64], np.nan))
    with pytest.raises(DivergenceError, match="3 of 3 in a batch"):
        sampling.generate(generator, np.zeros([3, Z_DIM], np.float32), None, None)


def _standing(**kwargs):
    settings = {"use_moving_averages": False, "epsilon": 1e-3}
    return StandardizeBatch(statistics=settings, **kwargs)


def test_standing_statistics_are_the_mean_moments_of_the_batches(make_generator):
    generator = make_generator(_standing())
    words = sampling.refresh_standing_statistics(
        generator, Z_DIM, CLASSES, num_batches=5, batch_size=6, seed=3
    )
    assert words == "standing statistics of 5 batches of 6"
    z = sampling.sample_latents(30, Z_DIM, 3)
    y = np.eye(CLASSES, dtype=np.float32)[np.arange(30) % CLASSES]
    h = np.asarray(generator.dense(np.concatenate([z, y], axis=1))).reshape(5, 6, 64)
    accu = generator.normalization.accu
    count = float(accu.accu_counter.numpy())
    assert count == 5
    # float32 sums of 30 values of order 1.
    np.testing.assert_allclose(accu.accu_mean / count, h.mean(1).mean(0), atol=1e-5)
    np.testing.assert_allclose(accu.accu_variance / count, h.var(1).mean(0), atol=1e-5)


def test_sampling_refreshes_standing_statistics_when_weights_have_changed(make_generator):
    generator = make_generator(_standing())
    sampling.sample_images(generator, 4, 4, Z_DIM, CLASSES, seed=0)
    generator.dense.kernel.assign(generator.dense.kernel * 3.0)
    images, labels = sampling.sample_images(generator, 4, 4, Z_DIM, CLASSES, seed=0)
    refreshed = generator.normalization.accu.accu_variance.numpy()
    reset_standing_statistics(generator)
    z = sampling.sample_latents(6400, Z_DIM, 0)
    y = np.eye(CLASSES, dtype=np.float32)[np.arange(6400) % CLASSES]
    with accumulating_standing_statistics(generator):
        for i in range(0, 6400, 64):
            generator((z[i : i + 64], y[i : i + 64]), training=False)
    np.testing.assert_allclose(
        refreshed, generator.normalization.accu.accu_variance.numpy(), rtol=1e-4
    )
    expected = _direct(generator, sampling.sample_latents(4, Z_DIM, 0), labels)
    assert np.abs(images.astype(int) - expected).max() <= 1


def test_generate_accumulates_standing_statistics_where_there_are_none(make_generator):
    generator = make_generator(_standing())
    z = sampling.sample_latents(4, Z_DIM, 0)
    labels = np.array([0, 1, 2, 0])
    images = sampling.generate(generator, z, labels, CLASSES)
    expected, _ = sampling.sample_images(generator, 4, 4, Z_DIM, CLASSES, 0, labels)
    np.testing.assert_array_equal(images, expected)


def test_other_generators_have_moving_averages(make_generator):
    words = sampling.refresh_standing_statistics(make_generator(), Z_DIM, CLASSES)
    assert words == "moving averages"
