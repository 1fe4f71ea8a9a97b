"""The counter-based random generator Philox4x32-10, seeded as TensorFlow seeds it on CPUs.

Salmon et al., 2011, https://doi.org/10.1145/2063384.2063405. For arrays of NumPy and of JAX, which
has no 64-bit integers by default.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
# What the ten rounds add to the key.
_KEY_STEPS = np.outer(np.arange(10), [0x9E3779B9, 0xBB67AE85]).astype(np.uint32)
# Where TensorFlow starts in order to turn a seed into a key and a counter.
_SCRAMBLING_KEY = np.array([[0x3EC8F720], [0x02461E29]], np.uint32)
# TensorFlow takes the logarithm of no smaller uniform number.
_LEAST = np.float32(1e-7)

_Words = tuple[Any, ...]


def numpy_words(count: int, seed: Any) -> np.ndarray:
    """The first `count` numbers of the generator with NumPy.

    Args:
      count: Number of numbers for one seed.
      seed: int32 or int64 [..., 2]; the draws of several seeds have the same leading axes.

    Returns:
      uint32 [..., count].

    Example:
      >>> from compare_gan.backend import philox
      >>> philox.numpy_words(3, seed=(0, 7)).tolist()
      [1081226029, 1869207185, 3875885137]
    """
    words = numpy_blocks(np.arange(-(-count // 4), dtype=np.uint32), seed)
    return words.reshape(*words.shape[:-2], -1)[..., :count]


def numpy_blocks(blocks: np.ndarray, seed: Any) -> np.ndarray:
    """The four numbers of each of some blocks; block i begins with number 4i.

    Args:
      blocks: Indices of the blocks, uint32 [n].
      seed: int32 or int64 [..., 2].

    Returns:
      uint32 [..., n, 4].
    """
    seed = np.asarray(seed).astype(np.int64)[..., None]
    low, high = seed.astype(np.uint32), (seed >> 32).astype(np.uint32)
    halves = low[..., 0, :], high[..., 0, :], low[..., 1, :], high[..., 1, :]
    drawn = _draw(halves, blocks, _numpy_rounds)
    words = np.empty([*drawn[0].shape, 4], np.uint32)
    for i, word in enumerate(drawn):
        words[..., i] = word
    return words


def unit(words: np.ndarray) -> np.ndarray:
    """Numbers in [0, 1), float32, made of the low 23 bits of words, uint32 of any shape."""
    return (words & np.uint32(2**23 - 1)).astype(np.float32) * np.float32(2.0**-23)


def normal(words: np.ndarray) -> np.ndarray:
    """Standard normal numbers, float32, made of pairs of words by the method of Box and Muller.

    Args:
      words: uint32 [..., n] with an even n.

    Returns:
      float32 [..., n], equal to TensorFlow's up to rounding.
    """
    uniform = unit(words)
    # In double precision and then rounded, because TensorFlow's functions round almost correctly.
    log = np.log(np.maximum(uniform[..., 0::2], _LEAST).astype(np.float64)).astype(np.float32)
    radius = np.sqrt(np.float32(-2) * log)
    angle = (2 * np.pi * uniform[..., 1::2].astype(np.float64)).astype(np.float32)
    draws = np.empty_like(uniform)
    draws[..., 0::2] = np.sin(angle.astype(np.float64)).astype(np.float32) * radius
    draws[..., 1::2] = np.cos(angle.astype(np.float64)).astype(np.float32) * radius
    return draws


def jax_words(count: int, seed: Any) -> Any:
    """The numbers of `numpy_words` with JAX, also inside `jax.jit`.

    Args:
      count: Number of numbers.
      seed: int32 [2], which may be traced.

    Returns:
      uint32 [count].
    """
    import jax.numpy as jnp

    low, high = seed.astype(jnp.uint32)[:, None], (seed >> 31).astype(jnp.uint32)[:, None]
    blocks = jnp.arange(-(-count // 4), dtype=jnp.uint32)
    words = _draw((low[0], high[0], low[1], high[1]), blocks, _jax_rounds)
    return jnp.stack(words, axis=-1).reshape(-1)[:count]


def _draw(seed: _Words, blocks: Any, rounds: Callable[[_Words, _Words], _Words]) -> _Words:
    """The four words of each block, uint32 [..., n].

    Args:
      seed: Low and high half of each of the seed's two numbers, uint32 [..., 1].
      blocks: Numbers of the blocks, uint32 [n].
      rounds: Function from a counter of four words and a key of two to four random words.
    """
    first, second, third, fourth = rounds(seed, tuple(_SCRAMBLING_KEY))
    zero = np.zeros(1, np.uint32)
    return rounds((blocks, zero, third, fourth), (first, second))


def _numpy_rounds(counter: _Words, key: _Words) -> _Words:
    for step in _KEY_STEPS:
        counter = _round(counter, (key[0] + step[0], key[1] + step[1]), _multiply_in_64_bits)
    return counter


def _jax_rounds(counter: _Words, key: _Words) -> _Words:
    import jax
    import jax.numpy as jnp

    shape = jnp.broadcast_shapes(*(word.shape for word in (*counter, *key)))

    def compute(words: _Words, step: Any) -> tuple[_Words, None]:
        return _round(words, (key[0] + step[0], key[1] + step[1]), _multiply_by_parts), None

    # A loop, because XLA computes a word again for each of its uses in the rounds that it fuses.
    words = tuple(jnp.broadcast_to(word, shape) for word in counter)
    return jax.lax.scan(compute, words, jnp.asarray(_KEY_STEPS))[0]


def _round(counter: _Words, key: _Words, multiply: Callable[[Any, int], tuple[Any, Any]]) -> _Words:
    a, b, c, d = counter
    (high_a, low_a), (high_c, low_c) = multiply(a, _MULTIPLIERS[0]), multiply(c, _MULTIPLIERS[1])
    return high_c ^ b ^ key[0], low_c, high_a ^ d ^ key[1], low_a


def _multiply_in_64_bits(word: np.ndarray, constant: int) -> tuple[np.ndarray, np.ndarray]:
    """The high and the low half of the product of a word and a constant."""
    product = word * np.uint64(constant)
    return (product >> np.uint64(32)).astype(np.uint32), product.astype(np.uint32)


def _multiply_by_parts(word: Any, constant: int) -> tuple[Any, Any]:
    """The same by products of 16-bit halves, none of which overflows."""
    half, mask = np.uint32(16), np.uint32(0xFFFF)
    low, high = word & mask, word >> half
    low_by, high_by = np.uint32(constant & 0xFFFF), np.uint32(constant >> 16)
    inner, outer = low * high_by, high * low_by
    carry = (low * low_by >> half) + (inner & mask) + (outer & mask)
    top = high * high_by + (inner >> half) + (outer >> half) + (carry >> half)
    return top, word * np.uint32(constant)
