"""Two tiny samplers."""

import pytest


@pytest.fixture
def sampler(tiny_sampler):
    return tiny_sampler(class_names=["dark", "middle", "bright"])


@pytest.fixture
def unconditional(tiny_sampler):
    return tiny_sampler(num_classes=None)
