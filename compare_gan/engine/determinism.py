"""Equal runs end in equal bits."""

import os

import keras

from compare_gan.errors import UserError

_FLAG = "--xla_gpu_deterministic_ops"


def make_deterministic() -> None:
    """Makes operations deterministic for the rest of the process.

    TensorFlow has a setting for that. JAX reads the flag `--xla_gpu_deterministic_ops` from
    XLA_FLAGS when it looks for devices, so it must not have done so before. XLA needs no flag on
    CPUs and TPUs.

    Raises:
      UserError: JAX uses a GPU already, and the flag was not set.

    Example:
      >>> from compare_gan import engine
      >>> engine.make_deterministic()  # doctest: +SKIP
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        return
    import jax
    from jax._src import xla_bridge  # JAX has no public name for it.

    flags = os.environ.get("XLA_FLAGS", "").split()
    given = [flag for flag in flags if flag.split("=")[0] == _FLAG]
    if given[-1:] in ([_FLAG], [f"{_FLAG}=true"]):
        return
    if not xla_bridge.backends_are_initialized():
        os.environ["XLA_FLAGS"] = " ".join([*flags, f"{_FLAG}=true"])  # The last one wins.
    elif jax.default_backend() == "gpu":
        raise UserError(
            "run_config.deterministic needs a process in which JAX has not used the GPU yet: set "
            f"XLA_FLAGS={_FLAG}=true before it starts."
        )
