"""Batches of images from devices that take turns; a function in NumPy stands for the network."""

import contextlib

import numpy as np
import pytest

from compare_gan import backend
from compare_gan.errors import DivergenceError
from compare_gan.sampling.batches import batches_in_turn


class _Network:
    """The image of z and label y is the pixel z + y; it is not finite if z is not."""

    def __init__(self):
        self.shapes = []

    def __call__(self, z, labels):
        self.shapes.append((z.shape, None if labels is None else labels.shape))
        finite = np.isfinite(z[:, 0])
        pixels = np.where(finite, z[:, 0], 0) + (0 if labels is None else labels)
        return pixels.astype(np.uint8)[:, None, None, None], finite


def _latents(num):
    return np.arange(num, dtype=np.float32)[:, None]


@pytest.mark.parametrize("devices", ((None,), ("a", "b", "c")))
def test_all_batches_have_one_shape_and_images_their_order(devices, monkeypatch):
    used = []

    def on_device(device):
        used.append(device)
        return contextlib.nullcontext()

    monkeypatch.setattr(backend, "on_device", on_device)
    network = _Network()
    batches = list(batches_in_turn(network, _latents(18), np.full([18], 100), 4, devices))
    assert [len(images) for images in batches] == [4, 4, 4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(batches)[:, 0, 0, 0], 100 + np.arange(18))
    assert network.shapes == 5 * [((4, 1), (4,))]  # So that the network is traced once.
    assert used == [devices[i % len(devices)] for i in range(5)]


@pytest.mark.parametrize(("num_devices", "made"), ((1, [2, 3, 4, 5, 5]), (3, [4, 5, 5, 5, 5])))
def test_one_batch_more_than_there_are_devices_is_made_ahead(num_devices, made):
    network = _Network()
    batches = batches_in_turn(network, _latents(18), None, 4, num_devices * (None,))
    assert [len(network.shapes) for _ in batches] == made


def test_images_that_are_not_finite_are_counted_once_each():
    z = _latents(5)
    z[0] = z[4] = np.nan  # The first one also fills up the last batch.
    with pytest.raises(DivergenceError, match="1 of 4 in a batch"):
        list(batches_in_turn(_Network(), z, None, 4))
    with pytest.raises(DivergenceError, match="1 of 1 in a batch"):
        list(batches_in_turn(_Network(), z[4:], None, 4))
