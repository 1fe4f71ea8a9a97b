"""The assignment of examples to steps, sub-batches and replicas."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from compare_gan.datasets.lazy import tf, without_autograph
from compare_gan.errors import UserError
from compare_gan.types import Tensor


@dataclasses.dataclass(frozen=True)
class Layout:
    """The division of a training run's endless sequence of examples into batches.

    Example number p of the run belongs to generator step p // (sub_batches · batch_size). Within a
    step, consecutive examples fill one sub-batch after the other, and of each sub-batch every
    replica takes `rows` examples, in the order of their ids. The examples of a step therefore do
    not depend on the number of replicas.

    Attributes:
      batch_size: Batch size, over all replicas.
      sub_batches: Number of sub-batches in a generator step.
      num_replicas: Number of replicas.
      replica_ids: Ids of the replicas that this pipeline feeds.
      start_step: The first step to yield.

    Example:
      >>> from compare_gan.datasets.layout import Layout
      >>> layout = Layout(batch_size=4, sub_batches=2, num_replicas=2, replica_ids=(1,))
      >>> layout.examples(step=0, replica=1).tolist()
      [2, 3, 6, 7]
    """

    batch_size: int
    sub_batches: int
    num_replicas: int = 1
    replica_ids: Sequence[int] = (0,)
    start_step: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.batch_size % self.num_replicas:
            raise UserError(
                f"A batch of {self.batch_size} cannot be shared equally by {self.num_replicas} "
                "replicas."
            )

    @property
    def rows(self) -> int:
        """Number of examples that one replica takes of each sub-batch."""
        return self.batch_size // self.num_replicas

    @property
    def first_example(self) -> int:
        """Number of the first example of `start_step`."""
        return self.start_step * self.sub_batches * self.batch_size

    def iterate_turns(self) -> Iterator[tuple[int, int]]:
        """Endless pairs (step, replica): each step, and in it each of `replica_ids` in turn."""
        for step in itertools.count(self.start_step):
            for replica in self.replica_ids:
                yield step, replica

    def turns(self) -> tf.data.Dataset:
        """The pairs of `iterate_turns` as a dataset, int64."""
        ids = tf.constant(self.replica_ids, tf.int64)
        count = len(self.replica_ids)
        numbers = tf.data.Dataset.range(self.start_step * count, tf.int64.max)
        return numbers.map(without_autograph(lambda number: (number // count, ids[number % count])))

    def examples(self, step: Tensor, replica: Tensor) -> Tensor:
        """Numbers of the examples of one turn, int64 [sub_batches · rows].

        An array for ints, a tensor for TensorFlow's tensors.
        """
        first = step * self.sub_batches * self.batch_size + replica * self.rows
        return first + self._offsets

    @functools.cached_property
    def _offsets(self) -> np.ndarray:
        sub_batch = np.arange(self.sub_batches, dtype=np.int64)[:, None]
        return (sub_batch * self.batch_size + np.arange(self.rows, dtype=np.int64)).reshape(-1)

    def is_own(self, example: tf.Tensor) -> tf.Tensor:
        """Whether one of `replica_ids` takes the example of this number, bool scalar."""
        replica = example % self.batch_size // self.rows
        return tf.reduce_any(replica == tf.constant(self.replica_ids, tf.int64))

    def group(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """One element per turn, from single own examples in the order of their numbers."""
        count = len(self.replica_ids)
        # Within a sub-batch, examples are sorted by replica.
        rank = tf.constant([sorted(self.replica_ids).index(i) for i in self.replica_ids])

        def regroup(value: tf.Tensor) -> tf.Tensor:
            value = tf.reshape(value, [self.sub_batches, count, self.rows, *value.shape[1:]])
            value = tf.gather(tf.experimental.numpy.moveaxis(value, 1, 0), rank)
            return tf.reshape(value, [count, self.sub_batches * self.rows, *value.shape[3:]])

        steps = examples.batch(self.sub_batches * count * self.rows, drop_remainder=True)
        return steps.map(lambda *entries: tuple(map(regroup, entries))).unbatch()

    def own_rows(self, whole: Tensor, replica: Tensor) -> Tensor:
        """A replica's rows [sub_batches, rows, ...] of draws [sub_batches, batch_size, ...]."""
        own = whole[:, replica * self.rows : (replica + 1) * self.rows]
        if isinstance(own, np.ndarray):
            return own
        return tf.ensure_shape(own, [self.sub_batches, self.rows, *whole.shape[2:]])
