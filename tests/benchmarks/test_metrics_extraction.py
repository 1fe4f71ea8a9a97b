"""The extraction benchmark: every stage has a rate and processes all images."""

import importlib
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.metrics.extractors import Extractor

_FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(_FOLDER))
    return importlib.import_module("metrics_extraction")


class _Mean(Extractor):
    def __init__(self, prepares):
        self.prepared, self._prepares = 0, prepares

    def prepare(self, images):
        self.prepared += len(images)
        return images.astype(np.float32) if self._prepares else images

    def forward(self, images):
        return tf.reduce_mean(tf.cast(images, tf.float32), [1, 2]), None


@pytest.mark.parametrize("prepares", [False, True])
def test_rates_of_all_stages(benchmark, prepares):
    extractor, fetched = _Mean(prepares), []

    def batches():
        for n in (4, 4, 2):
            fetched.append(n)
            yield np.zeros([n, 5, 5, 3], np.uint8)

    rates = benchmark.extraction_rates(extractor, batches, rounds=2)
    stages = ["decode", "resize", "network", "together"]
    assert list(rates) == [stage for stage in stages if prepares or stage != "resize"]
    assert all(len(values) == 2 and min(values) > 0 for values in rates.values())
    # Once to inspect them, then alone and together, each once as a warm-up and twice measured.
    assert sum(fetched) == 10 * (1 + 3 + 3)
    assert extractor.prepared == 10 * (1 + 3 + (3 if prepares else 0))
