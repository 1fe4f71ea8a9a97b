"""What every training runs on: one update, mixed precision."""

from compare_gan.engine.precision import mixed_precision, with_loss_scale
from compare_gan.engine.tensorflow import Update, update

__all__ = ["Update", "mixed_precision", "update", "with_loss_scale"]
