"""Parts of a replica's batch that it computes one after the other (microbatches)."""

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from compare_gan.backend.replicas import num_replicas
from compare_gan.types import Tensor

# Number of the current part, an integer or an integer tensor, and the number of parts.
_part: contextvars.ContextVar[tuple[Any, int] | None] = contextvars.ContextVar(
    "part_of_batch", default=None
)


@contextlib.contextmanager
def part_of_batch(index: Any, count: int) -> Iterator[None]:
    """Context of the computations for one part of the batch.

    `batch_uniform` and `batch_normal` then draw the part's rows of the draws for the whole batch.

    Args:
      index: Number of the part, from 0: an integer or an integer scalar tensor.
      count: Number of parts.

    Example:
      >>> from compare_gan import backend
      >>> whole = backend.batch_uniform((4, 1), seed=(0, 7))
      >>> with backend.part_of_batch(1, 2):
      ...     part = backend.batch_uniform((2, 1), seed=(0, 7))
      >>> bool((part == whole[1::2]).numpy().all())
      True
    """
    token = _part.set((index, count))
    try:
        yield
    finally:
        _part.reset(token)


def num_parts() -> int:
    """The number of parts of a replica's batch; 1 outside of `part_of_batch`.

    Example:
      >>> from compare_gan import backend
      >>> backend.num_parts()
      1
    """
    part = _part.get()
    return 1 if part is None else part[1]


def num_shares() -> int:
    """The number of shares of a global batch that are computed apart: by replicas, part by part.

    Example:
      >>> from compare_gan import backend
      >>> with backend.part_of_batch(0, 3):
      ...     backend.num_shares()
      3
    """
    return num_replicas() * num_parts()


def rows_of_part(x: Tensor) -> Tensor:
    """The rows of the current part: every `num_parts()`-th; all rows outside of `part_of_batch`.

    Rows that follow each other are on one device where JAX has divided the batch; so a part takes
    equally many from each device.

    Args:
      x: Tensor [b, …], where b is static and a multiple of `num_parts()`.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> with backend.part_of_batch(1, 2):
      ...     ops.convert_to_numpy(backend.rows_of_part(ops.array([0, 1, 2, 3]))).tolist()
      [1, 3]
    """
    part = _part.get()
    if part is None:
        return x
    index, count = part
    x = ops.reshape(x, (x.shape[0] // count, count, *x.shape[1:]))
    return x[:, index] if isinstance(index, int) else ops.take(x, index, axis=1)


def other_rows(x: Tensor) -> Tensor:
    """For each row of a batch that of a neighbour, none its own if there are several.

    Rows are exchanged in pairs, so that on any number of replicas with even shares the result is
    that of the whole batch. In `part_of_batch` neighbours are those of the part.

    Args:
      x: Tensor [b, …], b static.

    Example:
      >>> from keras import ops
      >>> from compare_gan import backend
      >>> ops.convert_to_numpy(backend.other_rows(ops.array([0, 1, 2, 3]))).tolist()
      [1, 0, 3, 2]
    """
    b = x.shape[0]
    rows = np.arange(b) ^ 1
    return ops.take(x, np.where(rows < b, rows, 0).astype(np.int32), axis=0)
