"""Early warnings: monitors that watch a training and never change or end it.

monitors    observes a run, writes monitors.jsonl and TensorBoard, logs what the rules find
rules       the rules: what is seen in the values, and the line of gin that usually helps
measures    numbers from images and logits
critic      logits of the discriminator, computed without changing its state
"""

from compare_gan.training.monitors.monitors import Monitors

__all__ = ["Monitors"]
