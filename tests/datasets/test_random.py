"""Random numbers of NumPy, against TensorFlow's operations."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.datasets import random

_SEEDS = [
    np.array(seed, dtype)
    for seed, dtype in (
        ((0, 7), np.int32),
        ((-1, 5), np.int32),
        ((2**31 - 1, -(2**31)), np.int32),
        ((-1, 5), np.int64),
        ((2**40 + 3, -(2**35)), np.int64),
        ((-(2**63), 2**63 - 1), np.int64),
    )
]
_SHAPES = ([], [1], [3], [5, 7], [2, 3, 4], [0, 3], [1001])


@pytest.fixture(name="seed", params=_SEEDS, ids=str)
def _seed(request):
    return request.param


def _assert_equal(actual, expected):
    assert actual.dtype == expected.dtype.as_numpy_dtype
    assert actual.shape == tuple(expected.shape)
    np.testing.assert_array_equal(actual, expected.numpy())


def test_integers_are_tensorflows_bit_for_bit(seed):
    draw = tf.random.stateless_uniform
    for shape in _SHAPES:
        _assert_equal(random.bits(shape, seed), draw(shape, seed, None, None, tf.uint32))
        for dtype in (tf.int32, tf.int64):
            kind = dtype.as_numpy_dtype
            full = random.full_integers(shape, seed, kind)
            _assert_equal(full, draw(shape, seed, None, None, dtype))
            for low, high in ((0, 10), (-3, 1000), (dtype.min, dtype.max)):
                ranged = random.integers(shape, seed, low, high, kind)
                _assert_equal(ranged, draw(shape, seed, low, high, dtype))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-0.3, 1.7), (-1e-3, 1e6)])
def test_uniform_floats_are_tensorflows_bit_for_bit(seed, low, high):
    for shape in _SHAPES:
        expected = tf.random.stateless_uniform(shape, seed, low, high)
        _assert_equal(random.uniform(shape, seed, low, high), expected)


def test_normal_floats_are_tensorflows_up_to_rounding(seed):
    for shape in (*_SHAPES, [100_000]):
        expected = tf.random.stateless_normal(shape, seed, stddev=1.5).numpy()
        actual = random.normal(shape, seed, stddev=1.5)
        assert actual.dtype == np.float32 and actual.shape == expected.shape
        # Three units in the last place.
        np.testing.assert_allclose(actual, expected, rtol=3.6e-7, atol=0)
    assert np.mean(actual != expected) < 0.03


def test_seeds_are_split_and_folded_as_by_tensorflow(seed):
    _assert_equal(random.split(seed, 3), tf.random.split(seed, 3))
    for number in (0, -5, 2**40):
        number = tf.constant(number, tf.int64)
        expected = tf.random.experimental.stateless_fold_in(seed.astype(np.int64), number)
        _assert_equal(random.fold_in(seed, int(number)), expected)


def test_many_seeds_at_once_draw_what_each_draws():
    seeds = np.arange(12).reshape(2, 3, 2) - 4
    draws = random.full_integers([5, 3], seeds, np.int64)
    assert draws.shape == (2, 3, 5, 3)
    np.testing.assert_array_equal(draws[1, 2], random.full_integers([5, 3], seeds[1, 2], np.int64))
    normal = random.normal([3], seeds)
    np.testing.assert_array_equal(normal[0, 1], random.normal([3], seeds[0, 1]))


# Around the sizes at which a block of the cipher grows, and that of TensorFlow is too small.
@pytest.mark.parametrize(
    "size",
    [1, 2, 3, 5, 17, 256, 1000, 50_000, *range(2**16 - 1, 2**16 + 4), 2**17 + 1, 2**18, 2**18 + 1,
     2**18 + 2, 1_281_167, 2**20 + 1, 2**33],
)  # fmt: skip
@pytest.mark.parametrize("seed", [(0, 0, 0), (2, 0, 19), (-1, 2**40, 7)])
def test_permutations_are_tensorflows(size, seed):
    ends = np.arange(min(size, 300))
    positions = np.unique(np.concatenate([ends, size - 1 - ends, [size // 2]]))
    expected = tf.raw_ops.RandomIndexShuffle(
        index=positions, seed=np.array(seed), max_index=np.int64(size - 1), rounds=16
    )
    _assert_equal(random.index_shuffle(positions, seed, size), expected)


@pytest.mark.parametrize("rounds", [4, 8, 18])
def test_permutations_of_other_rounds_are_tensorflows(rounds):
    for size in (1000, 70_000):
        expected = tf.raw_ops.RandomIndexShuffle(
            index=np.arange(200), seed=[1, 2, 3], max_index=size - 1, rounds=rounds
        )
        actual = random.index_shuffle(np.arange(200), (1, 2, 3), size, rounds)
        np.testing.assert_array_equal(actual, expected.numpy())
