"""The devices of a run: its `tf.distribute` strategy."""

import os
import re
import socket
from typing import Any

import numpy as np
import tensorflow as tf

from compare_gan.backend import on_cpu
from compare_gan.engine.device_count import set_wanted_devices, wanted_devices
from compare_gan.engine.interface import Peers
from compare_gan.engine.tensorflow.cluster import Cluster, read_cluster
from compare_gan.errors import UserError
from compare_gan.interruption import ends_at_once
from compare_gan.peers import meet

_TPU_SECONDS = 60.0


def make_strategy(
    distribution: str = "auto",
    single_core: bool = False,
    shard_state: bool = False,
    alone: bool = False,
) -> tf.distribute.Strategy:
    """The strategy for a `run_config.distribution`.

    `auto` means `multi_worker` where TF_CONFIG names several workers, `tpu` where TPU_NAME is set,
    `mirrored` where there are several GPUs or logical CPUs, and one device otherwise.
    `multi_worker` must come before any other TensorFlow operation of the process.

    Args:
      distribution: `auto`, `one_device`, `mirrored`, `multi_worker` or `tpu`.
      single_core: Use one device, whatever `distribution` says.
      shard_state: Divide the state among the devices, which only JAX's engine does.
      alone: Leave the other workers out.

    Raises:
      UserError: TF_CONFIG is wrong or names no workers, no TPU answers, or the state is to be
        divided.
      LostProcessError: Another worker has not come within five minutes.

    Example:
      >>> from compare_gan import engine
      >>> engine.make_strategy("one_device").num_replicas_in_sync
      1
    """
    if shard_state:
        raise UserError("run_config.shard_state = True needs JAX: set KERAS_BACKEND=jax.")
    if single_core:
        distribution = "one_device"
    if alone and distribution == "multi_worker":
        distribution = "auto"
    cluster = None
    if not alone and distribution in ("auto", "multi_worker"):
        cluster = read_cluster(os.environ.get("TF_CONFIG", ""))
    if distribution == "auto":
        if cluster is not None:
            distribution = "multi_worker"
        elif os.environ.get("TPU_NAME"):
            distribution = "tpu"
        else:
            distribution = "mirrored" if len(_local_devices()) > 1 else "one_device"
    if distribution == "multi_worker":
        # Logical devices cannot be asked for: that would start TensorFlow, too early.
        if not tf.config.list_physical_devices("GPU") and (wanted_devices() or 1) > 1:
            raise UserError(
                "--devices divides no CPU among the workers of TF_CONFIG: leave it out, and start "
                "more workers instead."
            )
        return _multi_worker(cluster)
    if distribution == "tpu":
        return _tpu()
    if distribution == "mirrored":
        return tf.distribute.MirroredStrategy(_local_devices())
    return tf.distribute.get_strategy()


def _local_devices() -> list[str]:
    """The names of the GPUs of this host, or of its logical CPUs, usually one."""
    gpus = tf.config.list_logical_devices("GPU")
    return [device.name for device in gpus or tf.config.list_logical_devices("CPU")]


def use_devices(count: int) -> None:
    """Limits this process to so many devices: GPUs, or else logical devices of the CPU.

    Has to be called before any operation of TensorFlow.

    Raises:
      UserError: There are GPUs, but fewer, or TensorFlow has found its devices already.

    Example:
      >>> from compare_gan import engine
      >>> engine.use_devices(4)  # doctest: +SKIP
    """
    set_wanted_devices(count)
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and count > len(gpus):
        raise UserError(f"--devices is {count}, but this machine has {len(gpus)} GPUs.")
    try:
        if gpus:
            tf.config.set_visible_devices(gpus[:count], "GPU")
            return
        [cpu] = tf.config.list_physical_devices("CPU")
        logical = [tf.config.LogicalDeviceConfiguration()] * count
        if count > 1 or tf.config.get_logical_device_configuration(cpu):
            tf.config.set_logical_device_configuration(cpu, logical)
    except RuntimeError as error:
        raise UserError(
            "--devices cannot be changed any more: this process has used its devices already."
        ) from error


def accelerators() -> list[str]:
    """Names of the GPUs and TPU cores of this process.

    Example:
      >>> from compare_gan import engine
      >>> engine.accelerators()  # doctest: +SKIP
      ['NVIDIA H200']
    """
    gpus = tf.config.get_visible_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    names = [str(each.get("device_name", "GPU")) for each in details]
    return names + ["TPU core"] * len(tf.config.list_logical_devices("TPU"))


def peers(strategy: tf.distribute.Strategy) -> Peers:
    """The devices that share work outside of training, such as evaluation.

    Example:
      >>> from compare_gan import engine
      >>> engine.peers(engine.make_strategy("one_device")).num_devices
      1
    """
    if isinstance(strategy, tf.distribute.TPUStrategy) or strategy.num_replicas_in_sync == 1:
        return Peers()
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return Peers(tuple(strategy.extended.worker_devices))
    devices = tuple(strategy.extended.worker_devices)
    resolver = strategy.cluster_resolver
    # The chief is the first worker.
    spec = resolver.cluster_spec().as_dict()
    index = resolver.task_id
    if resolver.task_type == "worker" and "chief" in spec:
        index += 1

    @tf.function(autograph=False, reduce_retracing=True)
    def gathered(block: tf.Tensor) -> tf.Tensor:
        def of_replica() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            # Floats, which NCCL knows too: their bits are only copied.
            row = block[context.replica_id_in_sync_group % len(devices)]
            return context.all_gather(tf.bitcast(row, tf.float32)[None], axis=0)

        results = strategy.run(of_replica)
        return tf.bitcast(strategy.experimental_local_results(results)[0], tf.int32)

    def gather_block(block: np.ndarray) -> np.ndarray:
        return gathered(tf.constant(block)).numpy()

    return Peers(devices, index, strategy.num_replicas_in_sync // len(devices), gather_block)


def _multi_worker(cluster: Cluster | None) -> tf.distribute.Strategy:
    if cluster is None:
        raise UserError(
            "run_config.distribution is 'multi_worker', but TF_CONFIG names no workers: set it for "
            "each of them."
        )
    # TensorFlow would wait in native code, without limit, and hear no signal.
    meet(cluster.addresses[0], cluster.index, cluster.names)
    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu() -> tf.distribute.Strategy:
    name = os.environ.get("TPU_NAME", "")
    try:
        if match := re.fullmatch(r"grpc://(.+):(\d+)", name):
            # TensorFlow would wait without limit.
            socket.create_connection((match[1], int(match[2])), timeout=_TPU_SECONDS).close()
        with ends_at_once("no TPU has answered yet"):
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
            return tf.distribute.TPUStrategy(resolver)
    except Exception as error:  # Of TensorFlow, of a missing package, of the network.
        reason = str(error).strip().split("\n", 1)[0].rstrip(".") or type(error).__name__
        where = f" (TPU_NAME is '{name}')" if name else ""
        raise UserError(
            f"run_config.distribution is 'tpu' but no TPU answers: {reason}{where}; without "
            "one, unset TPU_NAME or set run_config.distribution = 'one_device'."
        ) from error


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes files: the only one, or the first of several workers.

    Example:
      >>> import tensorflow as tf
      >>> from compare_gan import engine
      >>> engine.is_chief(tf.distribute.get_strategy())
      True
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_id == 0


def on_host() -> bool:
    """Whether the devices compute in the memory of this process, as CPUs do.

    Example:
      >>> from compare_gan import engine
      >>> engine.on_host() in (True, False)
      True
    """
    return on_cpu()


def on_several_hosts(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is one of several that train together.

    Example:
      >>> from compare_gan import engine
      >>> engine.on_several_hosts(engine.make_strategy("one_device"))
      False
    """
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def expects_several_hosts(distribution: str = "auto", single_core: bool = False) -> bool:
    """Whether `make_strategy` would connect this process to others; nothing is connected.

    Args:
      distribution: See `make_strategy`.
      single_core: See `make_strategy`.

    Example:
      >>> from compare_gan import engine
      >>> engine.expects_several_hosts("one_device")
      False
    """
    if single_core or distribution not in ("auto", "multi_worker"):
        return False
    return read_cluster(os.environ.get("TF_CONFIG", "")) is not None


def agree_on(value: int, strategy: tf.distribute.Strategy) -> int:
    """The integer of the first worker, in all workers; each has to call this.

    Example:
      >>> from compare_gan import engine
      >>> engine.agree_on(7, engine.make_strategy("one_device"))
      7
    """
    return int(of_first(np.int64(value), strategy))


def of_first(values: Any, strategy: tf.distribute.Strategy) -> np.ndarray:
    """Integers of the first worker, in all workers; each has to call this with the same shape.

    Example:
      >>> import numpy as np
      >>> from compare_gan import engine
      >>> engine.of_first(np.array([0, 1, 1]), engine.make_strategy("one_device")).tolist()
      [0, 1, 1]
    """
    with strategy.scope():  # Initial values are those of the first worker.
        return tf.Variable(values, dtype=tf.int64, trainable=False).numpy()
