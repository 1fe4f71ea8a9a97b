"""One evaluation on 1, 2 and 4 devices, and shared by two processes: it prints how they differ.

`python spread_computations.py` with KERAS_BACKEND set; `test_spread.py` starts it.
"""

import os
import sys
import threading

if os.environ["KERAS_BACKEND"] == "jax":
    sys.modules["tensorflow"] = None  # Keras would import it with a seed, which takes seconds.

import keras
import numpy as np
from keras import ops

from compare_gan import engine, sampling
from compare_gan.backend import current_device
from compare_gan.datasets import ArraySource, Dataset
from compare_gan.errors import UserError
from compare_gan.evaluation import evaluate, score_sets
from compare_gan.evaluation.evaluation_options import EvaluationOptions
from compare_gan.evaluation.image_sets import GeneratedImages
from compare_gan.evaluation.statistics import set_statistics
from compare_gan.layers import BatchNorm
from compare_gan.metrics import FrechetInceptionDistance, PixelMemorization
from compare_gan.metrics.extractors import Extractor

NUM_FAKE, BATCH = 90, 8  # The last batch is not full, nor is the last turn.


class Projection(Extractor):
    """Features that notice each pixel; records the devices that they were computed on."""

    name, weights_hash, resizer, has_logits = "projection", "1", "none", False

    def __init__(self):
        self.devices = set()
        self.dense = keras.layers.Dense(5, kernel_initializer=keras.initializers.HeNormal(1))
        self.dense.build((None, 192))

    def prepare(self, images):
        self.devices.add(current_device())
        return images

    def forward(self, images):
        x = ops.reshape(ops.cast(images, "float32"), (-1, 192))
        return ops.tanh(self.dense(x) / 100.0), None


def make_sampler(standing=False):
    keras.utils.set_random_seed(1)
    inputs = [keras.Input((4,)), keras.Input((3,))]
    pixels = keras.layers.Dense(192)(keras.layers.Concatenate()(inputs))
    if standing:
        pixels = BatchNorm(statistics={"use_moving_averages": False})(pixels)
    network = keras.Model(inputs, keras.layers.Reshape((8, 8, 3))(ops.sigmoid(pixels)))
    few = sampling.StandingStatistics(num_batches=2, batch_size=8)
    return sampling.Sampler(network, 4, (8, 8, 3), num_classes=3, standing_statistics=few)


class Options(EvaluationOptions):
    """Options with these metrics and this extractor."""

    def make_metrics(self):
        return [FrechetInceptionDistance(), PixelMemorization()]

    def make_extractor(self, dataset_name):
        return extractor


def statistics(peers):
    """The mean, covariance and images of generated images."""
    [images] = GeneratedImages.of(normalized, NUM_FAKE, [3], weights="raw", devices=peers.devices)
    assert images.batch_norm == "standing statistics of 2 batches of 8"
    found = set_statistics(images, Options().make_metrics(), extractor, BATCH, peers=peers)
    return {name: value for each in found.results.values() for name, value in each.items()}


def difference(found, expected):
    assert found.keys() == expected.keys() and len(found) >= 3, found.keys()
    return max(
        float(np.abs(found[name].astype(float) - expected[name].astype(float)).max())
        for name in expected
    )


class Exchange:
    """`gather_block` of two processes, played by two threads."""

    def __init__(self):
        self.barrier, self.blocks = threading.Barrier(2, timeout=1200), {}

    def peers(self, index):
        def gather_block(block):
            self.blocks[index] = block
            self.barrier.wait()
            both = np.concatenate([self.blocks[0], self.blocks[1]])
            self.barrier.wait()
            return both

        return engine.Peers(devices[2 * index : 2 * index + 2], index, 2, gather_block)


def on_two_processes(evaluate_in, contribute_in):
    """The results, or errors, of the first process and of the other one."""
    exchange, results = Exchange(), {}

    def run(index, function):
        try:
            results[index] = function(exchange.peers(index))
        except UserError as error:
            results[index] = str(error)

    threads = [
        threading.Thread(target=run, args=(i, f))
        for i, f in enumerate((evaluate_in, contribute_in))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results[0], results[1]


def evaluation(peers, options):
    """The scores in the first process, None in another one."""
    common = (sampler, dataset, options)
    if peers.index:
        return evaluate.contribute_to_evaluation(*common, averaging_runs=2, peers=peers)
    row = evaluate.evaluate_generator(*common, averaging_runs=2, peers=peers)
    return {name: np.array([score.mean, score.std]) for name, score in row.scores.items()}


class Failing(Options):
    """Options of a process that fails."""

    def reference(self, dataset):
        raise UserError("no such split")


engine.use_devices(4)
strategy = engine.make_strategy("mirrored")
devices = engine.peers(strategy).devices
assert len(devices) == strategy.num_replicas_in_sync == 4
extractor, sampler, normalized = Projection(), make_sampler(), make_sampler(standing=True)
real = np.random.default_rng(0).integers(0, 256, [60, 8, 8, 3], np.uint8)
dataset = Dataset("noise", ArraySource.from_arrays({"train": (real, np.arange(60) % 3)}))
options = Options(split="train", num_fake=NUM_FAKE, batch_size=BATCH)

one = statistics(engine.ALONE)
for count in (2, 4):
    extractor.devices.clear()
    print("statistics", count, difference(statistics(engine.Peers(devices[:count])), one))
    assert extractor.devices == set(devices[:count])
alone = evaluation(engine.ALONE, options)
assert {"fid_projection", "memorization_pixels"} <= alone.keys()
extractor.devices.clear()
first, second = on_two_processes(
    lambda peers: evaluation(peers, options), lambda peers: evaluation(peers, options)
)
assert second is None
assert extractor.devices >= set(devices)
print("scores", "2x2", max(float(np.abs(first[name] - alone[name]).max()) for name in alone))
arguments = (real, real[::-1][:50] // 2, ["fid"], extractor)
on_one = score_sets(*arguments, batch_size=BATCH).scores
extractor.devices.clear()
on_all = score_sets(*arguments, batch_size=BATCH, devices=devices).scores
assert extractor.devices == set(devices)
print("sets", 4, max(abs(on_all[name] - on_one[name]) for name in on_one))
failing = Failing(split="train", num_fake=NUM_FAKE, batch_size=BATCH)
print(
    "first fails",
    *on_two_processes(
        lambda peers: evaluation(peers, failing), lambda peers: evaluation(peers, options)
    ),
    sep=" | ",
)
print(
    "second fails",
    *on_two_processes(
        lambda peers: evaluation(peers, options), lambda peers: evaluation(peers, failing)
    ),
    sep=" | ",
)
