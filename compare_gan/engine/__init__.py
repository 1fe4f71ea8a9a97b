"""The engine under every training: one update, the compiled loop, `fit`, checkpoints, precision.

TensorFlow and JAX have an engine each, behind one interface; Keras's backend chooses.
"""

import typing

import keras

from compare_gan.engine.callback import Callback
from compare_gan.engine.checkpoint_files import DamagedCheckpointError
from compare_gan.engine.checkpoint_folder import list_checkpoints, step_of
from compare_gan.engine.checkpoints import Checkpoints, State, read_checkpoint
from compare_gan.engine.compilation_cache import use_compilation_cache
from compare_gan.engine.determinism import make_deterministic
from compare_gan.engine.device_count import wanted_devices
from compare_gan.engine.divergence import Rollback
from compare_gan.engine.fit import fit
from compare_gan.engine.interface import ALONE, PeakBytes, Peers, Step, Strategy, Update, as_float
from compare_gan.engine.precision import mixed_precision, with_loss_scale
from compare_gan.engine.progress import ProgressLine, announced, tracked
from compare_gan.engine.signals import DelayedSignals
from compare_gan.engine.stages import Stages
from compare_gan.errors import UserError

if typing.TYPE_CHECKING or keras.backend.backend() == "tensorflow":
    from compare_gan.engine.tensorflow import (
        Loop,
        accelerators,
        agree_on,
        count_operations,
        expects_several_hosts,
        is_chief,
        make_strategy,
        of_first,
        on_host,
        on_several_hosts,
        peak_bytes,
        peers,
        use_devices,
    )
    from compare_gan.engine.tensorflow.update import update
elif keras.backend.backend() == "jax":
    from compare_gan.engine.jax import (
        Loop,
        accelerators,
        agree_on,
        count_operations,
        expects_several_hosts,
        is_chief,
        make_strategy,
        of_first,
        on_host,
        on_several_hosts,
        peak_bytes,
        peers,
        use_devices,
    )
    from compare_gan.engine.jax.update import update
else:
    raise UserError(
        "Training, sampling and evaluation run on Keras's backends TensorFlow and JAX: "
        f"KERAS_BACKEND must be tensorflow or jax, received '{keras.backend.backend()}'."
    )

__all__ = [
    "ALONE",
    "Callback",
    "Checkpoints",
    "DamagedCheckpointError",
    "DelayedSignals",
    "Loop",
    "PeakBytes",
    "Peers",
    "ProgressLine",
    "Rollback",
    "Stages",
    "State",
    "Step",
    "Strategy",
    "Update",
    "accelerators",
    "agree_on",
    "announced",
    "as_float",
    "count_operations",
    "expects_several_hosts",
    "fit",
    "is_chief",
    "list_checkpoints",
    "make_deterministic",
    "make_strategy",
    "mixed_precision",
    "of_first",
    "on_host",
    "on_several_hosts",
    "peak_bytes",
    "peers",
    "read_checkpoint",
    "step_of",
    "tracked",
    "update",
    "use_compilation_cache",
    "use_devices",
    "wanted_devices",
    "with_loss_scale",
]
