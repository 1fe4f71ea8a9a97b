"""The engine under every training: one update, the compiled loop, `fit`, checkpoints, precision."""

from compare_gan.engine.checkpoints import (
    Checkpoints,
    DamagedCheckpointError,
    State,
    list_checkpoints,
    step_of,
)
from compare_gan.engine.distribution import is_chief, make_strategy
from compare_gan.engine.fit import Callback, fit
from compare_gan.engine.loop import Loop, Step, as_float, make_train_loop
from compare_gan.engine.precision import mixed_precision, with_loss_scale
from compare_gan.engine.progress import ProgressLine
from compare_gan.engine.signals import DelayedSignals
from compare_gan.engine.tensorflow import Update, update

__all__ = [
    "Callback",
    "Checkpoints",
    "DamagedCheckpointError",
    "DelayedSignals",
    "Loop",
    "ProgressLine",
    "State",
    "Step",
    "Update",
    "as_float",
    "fit",
    "is_chief",
    "list_checkpoints",
    "make_strategy",
    "make_train_loop",
    "mixed_precision",
    "step_of",
    "update",
    "with_loss_scale",
]
