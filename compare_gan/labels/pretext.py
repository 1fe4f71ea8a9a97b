"""Features from images without labels: a network learns by which angle images were rotated.

Papers: https://arxiv.org/abs/1803.07728 (rotation), https://arxiv.org/abs/1905.03670 (with the
cross-entropy of the labelled images).
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import gin
import keras
import numpy as np
from keras import ops

from compare_gan import engine
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.layout import Layout
from compare_gan.engine import ProgressLine, as_float
from compare_gan.errors import DivergenceError, check_positive_integer, check_range
from compare_gan.gans.tasks import NUM_ROTATIONS, rotate_90
from compare_gan.labels.backbone import POOLED
from compare_gan.labels.pretext_batches import PretextBatches
from compare_gan.types import Tensor

_STEPS_PER_CALL = 50


@gin.configurable("pretext")
@dataclasses.dataclass(frozen=True)
class PretextOptions:
    """Options of the pretext training (gin scope `pretext`).

    Example:
      >>> from compare_gan.labels import PretextOptions
      >>> PretextOptions(training_steps=200).batch_size
      64

    Attributes:
      training_steps: Number of steps of AdamW.
      batch_size: Number of images in each step, over all replicas; the network sees each image in
        four rotations.
      labeled_batch_size: Number of labelled images that `semi_supervised` adds to each step.
      learning_rate: Greatest learning rate: it rises over the first tenth of the steps and then
        falls along a cosine.
      weight_decay: Weight decay of AdamW.
      weight_class_loss: Weight of the cross-entropy of the labelled images, over all four
        rotations, in `semi_supervised`.
      max_shift: Greatest number of pixels by which images are shifted, vertically and
        horizontally; the nearest edge pixels fill in.
      save_checkpoints_steps: Number of steps between checkpoints.
    """

    training_steps: int = 1000
    batch_size: int = 64
    labeled_batch_size: int = 32
    learning_rate: float = 0.003
    weight_decay: float = 0.01
    weight_class_loss: float = 1.0
    max_shift: int = 2
    save_checkpoints_steps: int = 200

    def __post_init__(self) -> None:
        for name in ("training_steps", "batch_size", "labeled_batch_size"):
            check_positive_integer(f"pretext.{name}", getattr(self, name))
        check_positive_integer("pretext.save_checkpoints_steps", self.save_checkpoints_steps)
        for name in ("learning_rate", "weight_decay", "weight_class_loss", "max_shift"):
            check_range(f"pretext.{name}", getattr(self, name))


class PretextTask:
    """The pretext training: a backbone, its heads and optimizer, and the step that trains them.

    Args:
      backbone: A network that `make_backbone` made in the scope of `strategy`.
      dataset: Images and given labels to learn from.
      options: Options of the training.
      supervised: Learn the classes of the labelled images as well (`semi_supervised`).
      seed: Seed of the batches, which follow from it and the step.
      strategy: Distribution strategy.

    Attributes:
      step: Number of finished steps, a variable.
      names: Names of the values that a step returns.
    """

    def __init__(
        self,
        backbone: keras.Model,
        dataset: Dataset,
        options: PretextOptions,
        supervised: bool,
        seed: int,
        strategy: engine.Strategy,
    ):
        self._backbone = backbone
        self._options = options
        few = options.labeled_batch_size if supervised else 0
        self._batches = PretextBatches(dataset, seed, options.batch_size, few, options.max_shift)
        self.names = ["rotation loss", "rotation accuracy"]
        with strategy.scope():
            width = backbone.output[POOLED].shape[-1]
            self._heads = {"rotation": _make_head(NUM_ROTATIONS, width)}
            if supervised:
                self.names += ["class loss", "class accuracy"]
                self._heads["class"] = _make_head(dataset.source.num_classes or 0, width)
            schedule = keras.optimizers.schedules.CosineDecay(
                0.0,
                options.training_steps,
                warmup_target=options.learning_rate,
                warmup_steps=max(options.training_steps // 10, 1),
            )
            self._optimizer = _AdamW(schedule, options.weight_decay, name="adamw")
            heads = [v for head in self._heads.values() for v in head.trainable_variables]
            self._trained = [*backbone.trainable_variables, *heads]
            self._optimizer.build(self._trained)
        self.step = self._optimizer.iterations
        self._loop = engine.Loop(self, self.batches, strategy)

    def variables(self) -> dict[str, keras.Variable]:
        """All variables by the stable names that checkpoints use."""
        named = {"step": self.step}
        groups = {"backbone": self._backbone, **self._heads, "optimizer": self._optimizer}
        for group, owner in groups.items():
            named |= {f"{group}/{i}": variable for i, variable in enumerate(owner.variables)}
        return named

    def state_variables(self) -> list[keras.Variable]:
        """All variables that a step reads or changes."""
        return list(self.variables().values())

    def batch_axis(self, name: str) -> int:
        """The axis of the examples in an entry of the batch."""
        return 0

    def train(self, folder: str) -> None:
        """Trains to the last step, resuming from the newest checkpoint in `folder` if there is one.

        Raises:
          DivergenceError: A loss was not finite.
          KeyboardInterrupt: A signal ended it, after the running steps.
        """
        options = self._options
        with self._batches.dataset.source.broken_files_named():
            engine.fit(
                self._loop,
                engine.Checkpoints(self, os.path.join(folder, "checkpoints"), keep_max=2),
                [_Progress(options)],
                last_step=options.training_steps,
                steps_per_call=_STEPS_PER_CALL,
                save_every=options.save_checkpoints_steps,
                unit="pretext step",
            )

    def batches(self, num_replicas: int, replica_ids: list[int]) -> Any:
        """Endless batches, one for each of `replica_ids` in each step, from the current step on.

        Args:
          num_replicas: Number of parts of a batch: of replicas, under JAX of processes.
          replica_ids: Parts to yield.

        Returns:
          Dicts as `PretextBatches` describes them: a `tf.data.Dataset` on TensorFlow, an iterator
          of arrays on JAX.
        """
        step = int(self.step.numpy())
        layout = Layout(self._options.batch_size, 1, num_replicas, tuple(replica_ids), step)
        if keras.backend.backend() == "tensorflow":
            return self._batches.as_dataset(layout)
        return self._batches.as_arrays(layout)

    def __call__(self, batch: Mapping[str, Tensor]) -> Tensor:
        """One training step; returns the values of `names`."""
        done = engine.update(lambda: self._loss(batch), self._trained, self._optimizer)
        return ops.stack(done.aux)

    def _loss(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
        images = as_float(batch["images"])  # First: oneDNN cannot rotate bytes and logs that.
        images = shifted(images, batch["shifts"], self._options.max_shift)
        count = images.shape[0]
        turned = ops.concatenate([rotate_90(images, times) for times in range(NUM_ROTATIONS)])
        features = self._backbone(turned, training=True)[POOLED]
        rotation = ops.repeat(ops.arange(NUM_ROTATIONS), count)
        loss, accuracy = _cross_entropy(self._heads["rotation"](features), rotation)
        values = [loss, accuracy]
        if "labels" in batch:
            labels = batch["labels"]
            labelled = ops.reshape(features, [NUM_ROTATIONS, count, -1])[:, -labels.shape[0] :]
            labelled = ops.reshape(labelled, [-1, features.shape[-1]])
            classes = ops.tile(labels, [NUM_ROTATIONS])
            class_loss, class_accuracy = _cross_entropy(self._heads["class"](labelled), classes)
            loss += self._options.weight_class_loss * class_loss
            values += [class_loss, class_accuracy]
        return loss, values


class _AdamW(keras.optimizers.AdamW):
    """Keras's AdamW, with one learning rate for all variables of an update.

    Keras computes a schedule again for the decay of each variable: thousands of operations that
    yield the same number, and a third of the time that tracing a step takes.
    """

    _current: Tensor | None = None

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        self._current = super().learning_rate
        try:
            super().apply(grads, trainable_variables)
        finally:
            self._current = None

    @property
    def learning_rate(self) -> Tensor:
        return super().learning_rate if self._current is None else self._current


class _Progress(engine.Callback):
    """A progress line, and the message about a divergence."""

    def __init__(self, options: PretextOptions):
        self._options = options

    def on_begin(self, step: int) -> None:
        self._line = ProgressLine("pretext step", step, self._options.training_steps)

    def on_call(self, step: int, history: dict[str, np.ndarray], seconds: float) -> None:
        text = ", ".join(f"{name} {course.mean():.3f}" for name, course in history.items())
        count = len(next(iter(history.values())))
        self._line.update(
            step, f"{text}, {count * self._options.batch_size / seconds:.0f} images/s"
        )

    def on_divergence(self, step: int, terms: Sequence[str]) -> None:
        raise DivergenceError(
            f"The pretext training diverged at step {step}: lower pretext.learning_rate."
        )

    def on_end(self) -> None:
        self._line.close()


def shifted(images: Tensor, shifts: Tensor, limit: int) -> Tensor:
    """Shifts each image by its own number of pixels; the nearest edge pixels fill in.

    Example:
      >>> from keras import ops
      >>> from compare_gan.labels.pretext import shifted
      >>> image = ops.reshape(ops.array([1, 2, 3]), [1, 1, 3, 1])
      >>> ops.convert_to_numpy(shifted(image, ops.array([[1, 2]]), limit=1)).ravel().tolist()
      [2, 3, 3]

    Args:
      images: [n, H, W, C], any dtype.
      shifts: int32 [n, 2], from 0 to 2 · limit, vertically and horizontally; `limit` leaves the
        image in place.
      limit: Greatest number of pixels by which an image is shifted in each direction.

    Returns:
      [n, H, W, C]: pixel (i, j) of image k is its former pixel (i, j) + shifts[k] - limit.
    """
    if not limit:
        return images
    count, height, width, channels = images.shape
    rows, columns = (
        ops.clip(ops.arange(size)[None] + shifts[:, i : i + 1] - limit, 0, size - 1)
        for i, size in enumerate((height, width))
    )
    # One gather from the pixels of all images.
    rows += ops.arange(count)[:, None] * height
    pixels = ops.reshape(images, [-1, channels])
    return ops.take(pixels, rows[:, :, None] * width + columns[:, None, :], axis=0)


def _make_head(count: int, width: int) -> keras.layers.Dense:
    head = keras.layers.Dense(count, kernel_initializer="zeros")
    head.build((None, width))
    return head


def _cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy and the accuracy."""
    losses = ops.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    correct = ops.argmax(logits, axis=1) == labels
    return ops.mean(losses), ops.mean(ops.cast(correct, "float32"))
