"""Which example goes where: the arithmetic of steps, sub-batches and replicas."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

from compare_gan.errors import UserError


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a training run's endless row of examples is cut into batches.

    Example number p of the run belongs to generator step p // (sub_batches · batch_size), there to
    one of the sub-batches in turn, and of this the replicas take `rows` each, in the order of their
    ids. So what a step sees does not depend on the number of replicas.

    Attributes:
      batch_size: Of all replicas together.
      sub_batches: Sub-batches of a generator step.
      num_replicas: Number of replicas.
      replica_ids: Those that this pipeline feeds.
      start_step: The first step to yield.
    """

    batch_size: int
    sub_batches: int
    num_replicas: int = 1
    replica_ids: Sequence[int] = (0,)
    start_step: int = 0

    def __post_init__(self):
        if self.batch_size < 1 or self.batch_size % self.num_replicas:
            raise UserError(
                f"A batch of {self.batch_size} cannot be shared equally by {self.num_replicas} "
                "replicas."
            )

    @property
    def rows(self) -> int:
        """Examples of each sub-batch that one replica takes."""
        return self.batch_size // self.num_replicas

    @property
    def first_example(self) -> int:
        """Number of the first example of `start_step`."""
        return self.start_step * self.sub_batches * self.batch_size

    def turns(self) -> tf.data.Dataset:
        """Pairs (step, replica), int64: each step, and in it each of `replica_ids` in turn."""
        ids = tf.constant(self.replica_ids, tf.int64)
        count = len(self.replica_ids)
        numbers = tf.data.Dataset.range(self.start_step * count, tf.int64.max)
        return numbers.map(lambda number: (number // count, ids[number % count]))

    def examples(self, step: tf.Tensor, replica: tf.Tensor) -> tf.Tensor:
        """Numbers of the examples of one turn, int64 [sub_batches · rows]."""
        sub_batch = step * self.sub_batches + tf.range(self.sub_batches, dtype=tf.int64)
        row = replica * self.rows + tf.range(self.rows, dtype=tf.int64)
        return tf.reshape(sub_batch[:, None] * self.batch_size + row, [-1])

    def is_own(self, example: tf.Tensor) -> tf.Tensor:
        """Whether one of `replica_ids` takes the example of this number, bool scalar."""
        replica = example % self.batch_size // self.rows
        return tf.reduce_any(replica == tf.constant(self.replica_ids, tf.int64))

    def group(self, examples: tf.data.Dataset) -> tf.data.Dataset:
        """From own examples one by one, in the order of their numbers, to one element a turn."""
        count = len(self.replica_ids)
        # Within a sub-batch examples come by ascending replica.
        rank = tf.constant([sorted(self.replica_ids).index(i) for i in self.replica_ids])

        def regroup(value):
            value = tf.reshape(value, [self.sub_batches, count, self.rows, *value.shape[1:]])
            value = tf.gather(tf.experimental.numpy.moveaxis(value, 1, 0), rank)
            return tf.reshape(value, [count, self.sub_batches * self.rows, *value.shape[3:]])

        steps = examples.batch(self.sub_batches * count * self.rows, drop_remainder=True)
        return steps.map(lambda *entries: tuple(map(regroup, entries))).unbatch()

    def own_rows(self, whole: tf.Tensor, replica: tf.Tensor) -> tf.Tensor:
        """From draws [sub_batches, batch_size, ...] a replica's [sub_batches, rows, ...]."""
        whole = tf.reshape(
            whole, [self.sub_batches, self.num_replicas, self.rows, *whole.shape[2:]]
        )
        own = tf.gather(whole, replica, axis=1)
        return tf.ensure_shape(own, [self.sub_batches, self.rows, *whole.shape[3:]])
