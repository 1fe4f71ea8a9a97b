"""What metrics see of a generator."""

import numpy as np

from compare_gan.metrics import Sampler


def _draw(num, seed):
    return np.random.default_rng(seed).normal(size=[num, 2]).astype(np.float32)


def _network(inputs, training):
    assert training is False
    z, y = inputs
    return (z if y is None else y)[:, None, None, :]


def test_images_and_classes():
    conditional = Sampler(_network, 2, 3, _draw)
    np.testing.assert_array_equal(conditional.labels(4).argmax(1), [0, 1, 2, 0])
    images = conditional(conditional.latents(4), conditional.labels(4))
    np.testing.assert_array_equal(images[:, 0, 0], np.eye(3)[[0, 1, 2, 0]])
    unconditional = Sampler(_network, 2, None, _draw)
    assert unconditional.labels(4) is None
    z = unconditional.latents(4)
    np.testing.assert_array_equal(unconditional(z)[:, 0, 0], z)


def test_streams_and_seeds_are_repeatable_and_independent():
    first, second = (Sampler(_network, 2, None, _draw, seed=seed) for seed in (0, 1))
    draws = [first.latents(3), first.latents(3, 0), first.latents(3, 1), first.latents(3, 1, 0)]
    draws.append(second.latents(3))
    assert len({z.tobytes() for z in draws}) == 5
    np.testing.assert_array_equal(first.latents(3, 1), first.latents(3, 1))
