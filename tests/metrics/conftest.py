"""Generators in closed form."""

import numpy as np
import pytest
import scipy.stats

from compare_gan.sampling import Sampler

_MARGINALS = {"normal": scipy.stats.norm(), "uniform": scipy.stats.uniform(-1, 2)}


@pytest.fixture
def make_sampler():
    """`make_sampler(images_of, z_dim)`: a `Sampler` of the network `images_of(z, y)`."""

    def make(images_of, z_dim, num_classes=None, latents="normal", **kwargs):
        def network(inputs, training):
            return images_of(*inputs)

        distribution = _Distribution(_MARGINALS[latents])
        options = dict(num_classes=num_classes, distribution=distribution)
        return Sampler(network, z_dim, None, **options, **kwargs)

    return make


class _Distribution:
    """Latents drawn by SciPy."""

    def __init__(self, marginal):
        self._marginal = marginal

    def draw(self, shape, seed, truncation):
        return self._marginal.rvs(shape, np.random.default_rng(seed[0])).astype(np.float32)

    def marginal(self, truncation):
        return self._marginal
