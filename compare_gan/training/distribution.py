"""Where a run computes: the `tf.distribute` strategy and the input of each of its replicas."""

import os
from collections.abc import Callable

import tensorflow as tf

from compare_gan.errors import UserError


def make_strategy(distribution: str = "auto", single_core: bool = False) -> tf.distribute.Strategy:
    """The strategy for a `run_config.distribution`; see `RunConfig`.

    `auto` is `multi_worker` where TF_CONFIG names several workers, `tpu` where TPU_NAME is set,
    `mirrored` where there are several GPUs, and one device otherwise. `multi_worker` must come
    before any other TensorFlow operation of the process.
    """
    if single_core:
        distribution = "one_device"
    if distribution == "auto":
        if '"worker"' in os.environ.get("TF_CONFIG", ""):
            distribution = "multi_worker"
        elif os.environ.get("TPU_NAME"):
            distribution = "tpu"
        else:
            several = len(tf.config.list_logical_devices("GPU")) > 1
            distribution = "mirrored" if several else "one_device"
    if distribution == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if distribution == "tpu":
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        except (ValueError, tf.errors.OpError) as error:
            raise UserError(
                f"run_config.distribution is 'tpu' but no TPU answers: {error}"
            ) from error
        return tf.distribute.TPUStrategy(resolver)
    if distribution == "mirrored":
        gpus = tf.config.list_logical_devices("GPU")
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one of several workers that writes files; True when alone."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_id == 0


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
