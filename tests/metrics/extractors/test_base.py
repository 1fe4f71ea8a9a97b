"""Extractors on single batches and on a stream."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.metrics.base import ImageBatch
from compare_gan.metrics.extractors import Extractor, stream


class _Sums(Extractor):
    """Computes the sum of the pixels, after an addition outside of TensorFlow."""

    name = "sums"
    has_logits = False

    def __init__(self):
        self.traced, self.sizes = 0, []

    def prepare(self, images):
        return images.astype(np.float32) + 1

    def forward(self, images):
        self.traced += 1
        tf.py_function(lambda n: self.sizes.append(int(n)), [tf.shape(images)[0]], [])
        return tf.reduce_sum(images, [1, 2, 3])[:, None], None


def _images(n, size=4):
    return np.random.default_rng(n).integers(0, 256, (n, size, size, 1), dtype=np.uint8)


def _expected(images):
    return images.reshape(len(images), -1).sum(1, dtype=np.float32)[:, None] + images[0].size


def test_one_trace_for_all_batch_sizes():
    extractor = _Sums()
    for n in (5, 3, 1, 8):
        features, logits = extractor(_images(n))
        np.testing.assert_allclose(features, _expected(_images(n)))
        assert logits is None
    assert extractor.traced == 1
    extractor(_images(2, size=6))
    assert extractor.traced == 2
    assert extractor.sizes == [5, 3, 2, 8, 2]  # A single image gets company.


def test_on_a_gpu_small_batches_are_filled_up(monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [kind])
    extractor = _Sums()
    for n in (5, 10, 9, 3, 1, 10):
        np.testing.assert_allclose(extractor(_images(n))[0], _expected(_images(n)))
    # Sizes are powers of two (but one), or that of the largest batch so far.
    assert extractor.sizes == [5, 10, 10, 4, 2, 10]


def test_a_stream_yields_the_results_of_calls_in_order():
    sizes = (3, 1, 4, 1, 5, 9)
    batches = [ImageBatch(_images(n), labels=np.full(n, i)) for i, n in enumerate(sizes)]
    extracted = list(stream(_Sums(), batches))
    for batch, given in zip(extracted, batches, strict=True):
        assert batch.images is given.images and batch.labels is given.labels
        np.testing.assert_allclose(batch.features, _expected(given.images))
        assert batch.logits is None
    assert list(stream(_Sums(), [])) == []


def test_batches_are_fetched_and_prepared_while_the_network_works():
    fetched, prepared = threading.Event(), threading.Event()
    waited = []

    class Waiting(_Sums):
        def prepare(self, images):
            if images[0, 0, 0, 0] == 1:
                prepared.set()
            return images

        def forward(self, images):
            def wait():
                waited.append(fetched.wait(30) and prepared.wait(30))

            tf.py_function(wait, [], [])
            return tf.cast(images[:, 0, 0], tf.float32), None

    def batches():
        for i in range(4):
            if i == 2:
                fetched.set()
            yield ImageBatch(np.full([2, 1, 1, 1], i, np.uint8))

    extracted = list(stream(Waiting(), batches()))
    assert all(waited) and len(waited) == 4
    assert [batch.features[0, 0] for batch in extracted] == [0, 1, 2, 3]


def test_batches_are_fetched_in_the_callers_thread():
    threads = set()

    def batches():
        for _ in range(3):
            threads.add(threading.current_thread())
            yield ImageBatch(_images(2))

    list(stream(_Sums(), batches()))
    assert threads == {threading.current_thread()}


def test_errors_are_passed_on():
    def broken():
        yield ImageBatch(_images(2))
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        list(stream(_Sums(), broken()))
    with pytest.raises(TypeError, match=r"uint8 images in .*received float64"):
        list(stream(_Sums(), [ImageBatch(_images(2) / 1.0)]))


def test_an_abandoned_stream_ends():
    endless = (ImageBatch(_images(2)) for _ in iter(int, 1))
    next(iter(stream(_Sums(), endless)))
    running = [thread for thread in threading.enumerate() if thread.name.startswith("extract")]
    for thread in running:
        thread.join(30)
    assert not any(thread.is_alive() for thread in running)
