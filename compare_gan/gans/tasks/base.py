"""The interface of auxiliary tasks, which the discriminator learns in addition."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import keras

from compare_gan.gans.terms import LossTerms
from compare_gan.layers import Dense
from compare_gan.registry import call_with_requested
from compare_gan.types import Tensor


class Seen(NamedTuple):
    """Outputs of a task's head for one half, real or generated, of the discriminator's batch.

    Attributes:
      outputs: Float [b, units], for the b examples of the half.
      extra_outputs: Float [m, units], for the examples that this task added; None if it added none.
      labels: Float [b, num_classes], labels of the half (a row of zeros: no label); None in an
        unconditional GAN.

    Example:
      >>> from keras import ops
      >>> from compare_gan.gans.tasks import Seen
      >>> seen = Seen(outputs=ops.ones((8, 4)), extra_outputs=None, labels=None)
      >>> seen.extra_outputs is None
      True
    """

    outputs: Tensor
    extra_outputs: Tensor | None
    labels: Tensor | None


class AuxiliaryTask:
    """A task in addition to the adversarial one: adds examples, a head, and terms to both losses.

    A subclass sets `name` and overrides what it needs. The GAN shows the added examples to the
    discriminator with the same weights as the others and calls the head on all features; it never
    lets them into the adversarial loss or the penalties. Terms may have further parameters: `step`,
    the number of finished generator steps, for weights that follow a schedule, and `z`, the latents
    of the generated images, float [b, z_dim].

    Attributes:
      name: Key of the head in `ModularGAN.heads`.
      learns_from_fakes: Whether `discriminator_terms` reads `fake.extra_outputs`. If not, the
        discriminator's steps save the forward of those examples (`fake.extra_outputs` is then None)
        unless they change batch statistics.
      learns_from_labels: Whether `discriminator_terms` compares with the labels of images.

    Example:
      >>> from keras import layers, ops
      >>> from compare_gan.gans.tasks import AuxiliaryTask
      >>> class Brightness(AuxiliaryTask):
      ...     name = "brightness"
      ...     def make_head(self, spectral_norm):
      ...         return layers.Dense(1)
      >>> Brightness().make_head(spectral_norm=False)(ops.ones((4, 8))).shape[1]
      1
    """

    name: str
    learns_from_fakes = False
    learns_from_labels = False

    def check(self, image_shape: tuple[int, int, int], num_classes: int | None) -> None:
        """Raises UserError if the task cannot be learned from such images.

        A task that reads latents has a further parameter, `z_dim`.

        Args:
          image_shape: Shape of images, (H, W, C).
          num_classes: Number of classes; None if the GAN is unconditional.
        """

    def check_batch_size(self, batch_size_per_replica: int) -> None:
        """Raises UserError if the task cannot be learned from batches of this size."""

    def make_head(self, spectral_norm: bool) -> keras.layers.Layer:
        """The head, a layer from features [n, f] to [n, units].

        A head that depends on the number of classes has a second parameter, `num_classes`.

        Args:
          spectral_norm: Whether the discriminator normalizes its kernels: the head then does too.
        """
        raise NotImplementedError

    def extra_examples(
        self, images: Tensor, labels: Tensor | None
    ) -> tuple[Tensor, Tensor | None] | None:
        """Examples to add to one half of the discriminator's batch.

        Args:
          images: Float [b, H, W, C] in [0, 1].
          labels: Float [b, num_classes] or None.

        Returns:
          A pair of images [m, H, W, C] and labels [m, num_classes] (None if `labels` is), or None
          for no examples.
        """
        return None

    def discriminator_terms(self, real: Seen, fake: Seen) -> LossTerms:
        """The terms that the task adds to the discriminator's loss."""
        raise NotImplementedError

    def generator_terms(self, fake: Seen) -> LossTerms:
        """The terms that the task adds to the generator's loss: none unless overridden."""
        return LossTerms(0.0, {})


def add_tasks(
    terms: LossTerms,
    tasks: Iterable[AuxiliaryTask],
    network: str,
    seen: Mapping[str, Mapping[str, Seen]],
    **available: Any,
) -> LossTerms:
    """The loss of a network with the terms of the auxiliary tasks.

    Args:
      terms: The loss without tasks.
      tasks: All tasks of the GAN.
      network: `discriminator` or `generator`.
      seen: What was seen of each half, `real` and `fake` or the latter alone, by name of the task.
      **available: Further values that a term may request, by name.
    """
    for task in tasks:
        term = task.discriminator_terms if network == "discriminator" else task.generator_terms
        halves = {half: by_task[task.name] for half, by_task in seen.items()}
        terms = terms.plus(call_with_requested(term, **halves, **available))
    return terms


@keras.saving.register_keras_serializable("compare_gan")
class Head(keras.layers.Layer):
    """A dense layer from features [n, f] to [n, units], float32.

    It has a scope of its own, so that its variables have the names that they have in checkpoints of
    the 2019 library (`discriminator_rotation/score_classify/kernel`).

    Args:
      units: Size of the output.
      dense_name: Name of the dense layer inside.
      spectral_norm: Whether its kernel is spectrally normalized.
      name: Name of the scope.

    Example:
      >>> from keras import ops
      >>> from compare_gan.gans.tasks import Head
      >>> head = Head(4, "score_classify", name="discriminator_rotation")
      >>> tuple(head(ops.ones((2, 8))).shape)
      (2, 4)
    """

    def __init__(
        self, units: int, dense_name: str, spectral_norm: bool = False, name: str | None = None
    ):
        super().__init__(name=name)
        self.units, self.dense_name, self.spectral_norm = units, dense_name, spectral_norm
        self.dense = Dense(units, spectral_norm=spectral_norm, name=dense_name)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dense.build(input_shape)

    def call(self, features: Tensor, training: bool | None = None) -> Tensor:
        return keras.ops.cast(self.dense(features, training=training), "float32")

    def get_config(self) -> dict[str, Any]:
        return {
            "units": self.units,
            "dense_name": self.dense_name,
            "spectral_norm": self.spectral_norm,
            "name": self.name,
        }
