"""The compiled loop over training steps, and the iterator that feeds it."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from compare_gan.backend import on_cpu


def distributed_iterator(
    strategy: tf.distribute.Strategy, make_dataset: Callable[[int, list[int]], tf.data.Dataset]
):
    """An iterator of per-replica batches.

    Args:
      strategy: The strategy of the run.
      make_dataset: From (number of replicas, ids of the replicas to feed) to a dataset that
        yields for each step one batch for each of those ids, in turn.

    Returns:
      The iterator to call `next` on inside the strategy's `tf.function`.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return iter(make_dataset(1, [0]))

    def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = replicas // context.num_input_pipelines
        first = context.input_pipeline_id * count
        return make_dataset(replicas, list(range(first, first + count)))

    return iter(strategy.distribute_datasets_from_function(pipeline))


def make_train_loop(
    step: Callable[[Any], tf.Tensor], strategy: tf.distribute.Strategy, jit_compile: bool | None
):
    """The compiled loop `(iterator, num_steps) -> [steps done, number of values]`.

    It ends early after a step with a value that is not finite, so that the last row tells which
    term went wrong. `num_steps` is an int32 tensor: any number of steps uses the same trace.

    Args:
      step: From one element of the iterator to float32 [number of values]; runs on each replica.
      strategy: The strategy of the run.
      jit_compile: Compile a step with XLA; None = only on GPU and TPU.
    """
    # Only the loop needs AutoGraph: translating all that a step calls would take twice as long as
    # tracing it.
    step_fn = tf.autograph.experimental.do_not_convert(step.__call__)
    if jit_compile is None:
        jit_compile = not on_cpu()
    if jit_compile:
        step_fn = tf.function(step_fn, jit_compile=True, autograph=False)

    @tf.function
    def train_loop(iterator, num_steps):
        history = tf.TensorArray(tf.float32, size=num_steps, dynamic_size=False)
        done = tf.constant(0)
        finite = tf.constant(True)
        while done < num_steps and finite:
            values = strategy.run(step_fn, args=(next(iterator),))
            values = strategy.reduce(tf.distribute.ReduceOp.MEAN, values, axis=None)
            history = history.write(done, values)
            finite = tf.reduce_all(tf.math.is_finite(values))
            done += 1
        return history.gather(tf.range(done))

    return train_loop


def as_float(images: tf.Tensor) -> tf.Tensor:
    """Images in [0, 1]: bytes are moved to the device as bytes and become float here."""
    return tf.cast(images, tf.float32) / 255.0 if images.dtype == tf.uint8 else images
