"""Class conditioning by contrast: ContraGAN's 2C loss and ReACGAN's D2D-CE."""

from typing import Any, NamedTuple

import keras
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_number, check_positive_integer, check_range
from compare_gan.gans.tasks.base import Seen
from compare_gan.gans.tasks.labelled import (
    ConditioningTask,
    agreements,
    label_available,
    labelled_means,
)
from compare_gan.gans.terms import LossTerms
from compare_gan.layers import Dense
from compare_gan.layers.initializers import WeightOptions
from compare_gan.schedules import Scheduled, value_at
from compare_gan.types import Tensor

# A logit that adds nothing to a sum of exponentials.
_NOTHING = -1e9


class _ContrastiveTask(ConditioningTask):
    """Base of both tasks: an embedding of each image, compared with classes and other images.

    The discriminator compares the real images of a batch, the generator its own. On several
    replicas the batch is the global one.
    """

    def __init__(
        self, dimension: int, temperature: float, weight_d: Scheduled, weight_g: Scheduled
    ):
        super().__init__(weight_d, weight_g)
        check_positive_integer(f"{self.name}.dimension", dimension)
        check_number(f"{self.name}.temperature", temperature)
        if temperature <= 0:
            raise UserError(f"{self.name}.temperature must be above 0, received {temperature!r}.")
        self.dimension = dimension
        self.temperature = temperature

    def make_head(self, spectral_norm: bool, num_classes: int | None = None) -> keras.layers.Layer:
        assert num_classes is not None  # See `check`.
        name = f"discriminator_{self.name}"
        return ProxyHead(self.dimension, num_classes, spectral_norm, name=name)

    def discriminator_terms(self, real: Seen, fake: Seen, step: Any = 0) -> LossTerms:
        return self._terms(real, "real", value_at(self.weight_d, step))

    def generator_terms(self, fake: Seen, step: Any = 0) -> LossTerms:
        return self._terms(fake, "fake", value_at(self.weight_g, step))

    def losses(self, contrast: "Contrast") -> Tensor:
        """The loss of each image, [b]; any finite number for one without label."""
        raise NotImplementedError

    def _terms(self, seen: Seen, half: str, weight: Any) -> LossTerms:
        assert seen.labels is not None  # See `check`.
        outputs = backend.gathered(seen.outputs)
        labels = backend.gathered(ops.convert_to_tensor(seen.labels))
        losses = self.losses(Contrast.of(outputs, labels))
        correct = agreements(outputs[:, -labels.shape[1] :], labels)
        loss, accuracy = labelled_means(labels, losses, correct)
        return LossTerms(
            weight * loss,
            {f"{self.name}_{half}": loss},
            {f"{self.name}_accuracy_{half}": accuracy},
        )


@registry.register("task", "contra_gan", paper="https://arxiv.org/abs/2006.12681")
class ContraGANTask(_ContrastiveTask):
    """Contrasts each image with its class and with images of it (2C, ContraGAN, Kang et al., 2020).

    The cosine similarity of an image's embedding to a learned proxy of its class and to images of
    the same class rises, that to images of other classes falls.

    Paper: https://arxiv.org/abs/2006.12681 (temperature 1, weights 1).

    Args:
      dimension: Dimension of the embedding.
      temperature: Divisor of the similarities.
      weight_d: Weight of the loss of real images in the discriminator's loss, a number or a
        schedule.
      weight_g: Weight of the loss of generated images in the generator's loss, likewise.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.gans.tasks import ContraGANTask
      >>> ContraGANTask(dimension=64).make_head(spectral_norm=False, num_classes=10).dimension
      64
    """

    name = "contra_gan"

    def __init__(
        self,
        dimension: int = 512,
        temperature: float = 1.0,
        weight_d: Scheduled = 1.0,
        weight_g: Scheduled = 1.0,
    ):
        super().__init__(dimension, temperature, weight_d, weight_g)

    def losses(self, contrast: "Contrast") -> Tensor:
        own, others = contrast.own / self.temperature, contrast.others / self.temperature
        positive = _log_sum(own, others, contrast.same)
        return _log_sum(own, others, ops.logical_or(contrast.same, contrast.different)) - positive


@registry.register("task", "reacgan", paper="https://arxiv.org/abs/2111.01118")
class ReACGANTask(_ContrastiveTask):
    """Classifies against images of other classes (D2D-CE, ReACGAN, Kang et al., 2021).

    A softmax over the cosine similarity of an image's embedding to the learned proxy of its class
    and those to the images of other classes in the batch. Both kinds are clamped at a margin: an
    image at least as similar to its proxy as `margin` or at most as similar to another image as
    `1 - margin` has nothing to gain there.

    Paper: https://arxiv.org/abs/2111.01118; the defaults are its settings for CIFAR-10.

    Args:
      dimension: Dimension of the embedding.
      temperature: Divisor of the similarities.
      margin: Similarity to its proxy, in [0, 1], that suffices.
      weight_d: Weight of the loss of real images in the discriminator's loss, a number or a
        schedule.
      weight_g: Weight of the loss of generated images in the generator's loss, likewise.
      relative_to_largest: Whether the exponentials of the other images are divided by the largest
        of them, as in the authors' program, which subtracts the maximum there only; False = the
        paper's formula.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.gans.tasks import ReACGANTask
      >>> ReACGANTask(temperature=0.75).weight_d
      0.5
    """

    name = "reacgan"

    def __init__(
        self,
        dimension: int = 512,
        temperature: float = 0.5,
        margin: float = 0.98,
        weight_d: Scheduled = 0.5,
        weight_g: Scheduled = 0.5,
        relative_to_largest: bool = False,
    ):
        super().__init__(dimension, temperature, weight_d, weight_g)
        check_range("reacgan.margin", margin, 0, 1)
        self.margin = margin
        self.relative_to_largest = relative_to_largest

    def losses(self, contrast: "Contrast") -> Tensor:
        missing = ops.relu(self.margin - contrast.own) / self.temperature
        above = (contrast.others - (1.0 - self.margin)) / self.temperature
        negative = ops.relu(above)
        if self.relative_to_largest:
            known = ops.logical_or(contrast.same, contrast.different)
            largest = ops.max(ops.where(known, above, _NOTHING), axis=1, keepdims=True)
            negative = negative - ops.stop_gradient(largest)
        return missing + _log_sum(-missing, negative, contrast.different)


class Contrast(NamedTuple):
    """Cosine similarities of the images of a batch to their classes and to each other.

    Attributes:
      own: Float [b], to the proxy of the image's class; 0 for an image without label.
      others: Float [b, b], between images.
      same: Bool [b, b]: two different images of one class, both labelled.
      different: Bool [b, b]: two images of different classes, both labelled.
    """

    own: Tensor
    others: Tensor
    same: Tensor
    different: Tensor

    @classmethod
    def of(cls, outputs: Tensor, labels: Tensor) -> "Contrast":
        """The similarities in a batch.

        Args:
          outputs: Outputs of a `ProxyHead`, float [b, dimension + num_classes].
          labels: Float [b, num_classes].
        """
        num_classes = labels.shape[1]
        embeddings, to_proxies = outputs[:, :-num_classes], outputs[:, -num_classes:]
        available, classes = label_available(labels) > 0.5, ops.argmax(labels, axis=1)
        known = ops.logical_and(available, ops.transpose(available))
        equal = ops.equal(classes[:, None], classes[None, :])
        row = ops.arange(labels.shape[0])
        other = ops.not_equal(row[:, None], row[None, :])
        return cls(
            own=ops.sum(labels * to_proxies, axis=1),
            others=ops.matmul(embeddings, ops.transpose(embeddings)),
            same=ops.logical_and(known, ops.logical_and(equal, other)),
            different=ops.logical_and(known, ops.logical_not(equal)),
        )


@keras.saving.register_keras_serializable("compare_gan")
class ProxyHead(keras.layers.Layer):
    """Unit embeddings and their cosine similarities to a learned proxy of each class.

    From features [n, f] to float32 [n, dimension + num_classes]: the embedding, of norm 1, then the
    similarities.

    Args:
      dimension: Dimension of the embedding.
      num_classes: Number of classes.
      spectral_norm: Whether the kernel of the embedding is spectrally normalized.
      name: Name of the scope.
    """

    def __init__(
        self,
        dimension: int,
        num_classes: int,
        spectral_norm: bool = False,
        name: str | None = None,
    ):
        super().__init__(name=name)
        self.dimension, self.num_classes = dimension, num_classes
        self.spectral_norm = spectral_norm
        self.embed = Dense(dimension, spectral_norm=spectral_norm, name="embedding")
        self.proxy_initializer = WeightOptions().make()  # As that of kernels.

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.embed.build(input_shape)
        self.proxies = self.add_weight(
            shape=(self.num_classes, self.dimension),
            initializer=backend.initializer(self.proxy_initializer),
            autocast=False,
            name="proxies",
        )

    def call(self, features: Tensor, training: bool | None = None) -> Tensor:
        embedding = _unit(ops.cast(self.embed(features, training=training), "float32"))
        proxies = _unit(ops.convert_to_tensor(self.proxies))
        similarities = ops.matmul(embedding, ops.transpose(proxies))
        return ops.concatenate([embedding, similarities], axis=1)

    def get_config(self) -> dict[str, Any]:
        return {
            "dimension": self.dimension,
            "num_classes": self.num_classes,
            "spectral_norm": self.spectral_norm,
            "name": self.name,
        }


def _unit(x: Tensor) -> Tensor:
    """Rows of norm 1; zeros stay zero, with a finite gradient."""
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=1, keepdims=True), 1e-16))


def _log_sum(first: Tensor, others: Tensor, chosen: Tensor) -> Tensor:
    """The logarithm of exp(first) + the sum of exp(others) where `chosen`, [b]."""
    logits = ops.concatenate([first[:, None], ops.where(chosen, others, _NOTHING)], axis=1)
    return ops.logsumexp(logits, axis=1)
