"""Generators that are known in closed form."""

import numpy as np
import pytest
import scipy.stats

from compare_gan.metrics import Sampler

_MARGINALS = {"normal": scipy.stats.norm(), "uniform": scipy.stats.uniform(-1, 2)}


@pytest.fixture
def make_sampler():
    """`make_sampler(images_of, z_dim)`: a `Sampler` of the network `images_of(z, y)`."""

    def make(images_of, z_dim, num_classes=None, latents="normal", **kwargs):
        marginal = _MARGINALS[latents]

        def draw(num, seed):
            return marginal.rvs([num, z_dim], np.random.default_rng(seed)).astype(np.float32)

        def network(inputs, training):
            return images_of(*inputs)

        return Sampler(network, z_dim, num_classes, draw, marginal, **kwargs)

    return make
