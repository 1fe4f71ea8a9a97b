"""TensorFlow's stateless random numbers in NumPy: the same numbers without TensorFlow.

Everything random in a batch comes from the generator Philox as TensorFlow uses it on CPUs (see
`backend.philox`), the order of the examples from a small block cipher, Simon (Beaulieu et al.,
2013, https://eprint.iacr.org/2013/404). Integers and uniform floats are equal to TensorFlow's bit
for bit, normal draws up to rounding.

A seed is an array of two integers, int32 or int64. With leading axes, [..., 2], it is that many
seeds, whose draws of `shape` have the same leading axes.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from compare_gan.backend.philox import normal as normal_of
from compare_gan.backend.philox import numpy_words, unit

# Simon's constants: the sequence z3 of the paper, from its last bit, and the complement of 3.
_SIMON_SEQUENCE = 0x7369F885192C0EF5
_SIMON_CONSTANT = 0xFFFFFFFC
# Bits of the smallest block.
_LEAST_BLOCK = 16


def bits(shape: Sequence[int], seed: Any) -> np.ndarray:
    """Draws uint32 numbers from their whole range.

    Args:
      shape: Shape of the draws of one seed.
      seed: int [..., 2].

    Returns:
      uint32 [..., *shape].

    Example:
      >>> from compare_gan.datasets import random
      >>> random.bits([3], seed=(0, 7)).tolist()
      [1081226029, 1869207185, 3875885137]
    """
    return numpy_words(math.prod(shape), seed).reshape((*np.shape(seed)[:-1], *shape))


def full_integers(shape: Sequence[int], seed: Any, dtype: Any = np.int32) -> np.ndarray:
    """Draws integers from the whole range of their type, int32 or int64.

    Example:
      >>> from compare_gan.datasets import random
      >>> random.full_integers([2], seed=(0, 7)).tolist()
      [1081226029, 1869207185]
    """
    if np.dtype(dtype).itemsize == 4:
        return bits(shape, seed).view(dtype)
    return _long_words(shape, seed).view(dtype)


def integers(
    shape: Sequence[int], seed: Any, minval: int, maxval: int, dtype: Any = np.int32
) -> np.ndarray:
    """Draws integers in [minval, maxval), int32 or int64.

    Example:
      >>> from compare_gan.datasets import random
      >>> random.integers([4], seed=(0, 7), minval=0, maxval=10).tolist()
      [9, 5, 7, 8]
    """
    words = bits(shape, seed) if np.dtype(dtype).itemsize == 4 else _long_words(shape, seed)
    drawn = words % words.dtype.type(maxval - minval)
    # Modulo 2^32 or 2^64, where a sum beyond the type's range wraps around to the right one.
    return (drawn + np.asarray(minval, dtype).view(words.dtype)).view(dtype)


def uniform(
    shape: Sequence[int], seed: Any, minval: float = 0.0, maxval: float = 1.0
) -> np.ndarray:
    """Draws float32 numbers in [minval, maxval).

    Example:
      >>> from compare_gan.datasets import random
      >>> random.uniform([2], seed=(0, 7), maxval=100.0).astype(int).tolist()
      [89, 82]
    """
    minval, maxval = np.float32(minval), np.float32(maxval)
    return unit(bits(shape, seed)) * (maxval - minval) + minval


def normal(shape: Sequence[int], seed: Any, stddev: float = 1.0) -> np.ndarray:
    """Draws float32 normal numbers of mean 0, by the method of Box and Muller.

    Example:
      >>> from compare_gan.datasets import random
      >>> random.normal([2, 3], seed=(0, 7)).dtype
      dtype('float32')
    """
    count = math.prod(shape)
    draws = normal_of(numpy_words(count + count % 2, seed))[..., :count]
    return draws.reshape((*np.shape(seed)[:-1], *shape)) * np.float32(stddev)


def split(seed: Any, num: int = 2) -> np.ndarray:
    """New seeds [num, 2] from one, of the type of that seed (int32 or int64)."""
    seed = np.asarray(seed)
    return full_integers([num, 2], seed, seed.dtype)


def fold_in(seed: Any, data: int) -> np.ndarray:
    """A new int64 seed [2] from a seed and an int64 number.

    Example:
      >>> from compare_gan.datasets import random
      >>> int(random.fold_in((0, 7), 5)[1])
      5
    """
    return np.stack([full_integers([], seed, np.int64), np.int64(data)])


def index_shuffle(
    positions: np.ndarray, seed: Sequence[int], size: int, rounds: int = 16
) -> np.ndarray:
    """The images of positions under a random permutation of 0 … size - 1.

    Args:
      positions: int64 [n], each in [0, size).
      seed: Three integers: the seed of the permutation.
      size: Number of elements that are permuted.
      rounds: Number of rounds of the cipher, even and at least 4.

    Returns:
      int64 [n] in [0, size).

    Example:
      >>> import numpy as np
      >>> from compare_gan.datasets import random
      >>> sorted(random.index_shuffle(np.arange(5), (0, 1, 2), size=5).tolist())
      [0, 1, 2, 3, 4]
    """
    seed = tuple(int(part) for part in seed)
    if size <= 2**_LEAST_BLOCK:
        return _small_permutation(seed, size, rounds)[positions]
    # As in TensorFlow, a block is one bit too short for the last index if that is a power of 4.
    width = (max(size - 2, 0).bit_length() + 1) // 2
    shuffled = _simon(positions, seed, rounds, width)
    # A block holds greater numbers, too; these are encrypted again.
    while len(outside := np.flatnonzero(shuffled >= size)):
        shuffled[outside] = _simon(shuffled[outside], seed, rounds, width)
    return shuffled


@functools.lru_cache(maxsize=8)  # Successive batches come from one or two epochs.
def _small_permutation(seed: tuple[int, int, int], size: int, rounds: int) -> np.ndarray:
    """The permutation of at most as many elements as the smallest block has values."""
    blocks = np.arange(2**_LEAST_BLOCK)
    encrypted = _simon(blocks, seed, rounds, _LEAST_BLOCK // 2)
    # What is too great is encrypted again, 1, 2, 4, … times, by composing the step with itself.
    step = np.where(blocks < size, blocks, encrypted)
    permutation = encrypted[:size]
    while (permutation >= size).any():
        permutation = step[permutation]
        step = step[step]
    permutation.flags.writeable = False
    return permutation


def _long_words(shape: Sequence[int], seed: Any) -> np.ndarray:
    """uint64 [..., *shape], each of two words of which the first is the low one."""
    words = numpy_words(2 * math.prod(shape), seed).astype(np.uint64)
    pairs = words[..., 0::2] | words[..., 1::2] << np.uint64(32)
    return pairs.reshape((*np.shape(seed)[:-1], *shape))


def _simon(values: np.ndarray, seed: Sequence[int], rounds: int, width: int) -> np.ndarray:
    """Encrypts numbers of two words of `width` bits, int64 [n]."""
    dtype = np.uint8 if width == 8 else np.uint32
    mask = dtype(2**width - 1)
    left, right = (values >> width).astype(dtype) & mask, values.astype(dtype) & mask
    for key in _simon_keys(seed, rounds, width):
        mixed = _rotate(right, 1, width) & _rotate(right, 8, width)
        left, right = right, left ^ mixed ^ _rotate(right, 2, width) ^ dtype(key)
    return left.astype(np.int64) << width | right


def _simon_keys(seed: Sequence[int], rounds: int, width: int) -> list[int]:
    """The key of each round, of `width` bits, from three words."""
    mask = 2**width - 1
    # As in TensorFlow, the sequence is cut off after `width` bits.
    sequence, constant = _SIMON_SEQUENCE & mask, _SIMON_CONSTANT & mask
    keys = [part & 0xFFFFFFFF & mask for part in seed]
    for i in range(3, rounds):
        last = np.uint64(keys[-1])
        mixed = _rotate(last, width - 3, width) ^ _rotate(last, width - 4, width)
        keys.append(constant ^ (sequence >> (i - 3) & 1) ^ keys[-3] ^ int(mixed))
    return keys


def _rotate(words: Any, by: int, width: int) -> Any:
    """Words of `width` bits, rotated to the left; 8 bits or more in an unsigned type."""
    dtype = words.dtype.type
    by %= width
    return (words << dtype(by) | words >> dtype(width - by)) & dtype(2**width - 1)
