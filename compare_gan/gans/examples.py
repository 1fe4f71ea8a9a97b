"""The discriminator's batch: real and generated halves and examples of tasks, in one forward."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import keras
from keras import ops

from compare_gan.backend import without_assignments
from compare_gan.errors import UserError
from compare_gan.gans.tasks import AuxiliaryTask, Seen
from compare_gan.penalties import Penalty
from compare_gan.types import Tensor


class Scores(NamedTuple):
    """Outputs of the discriminator and the tasks' heads for n examples.

    Attributes:
      logits: float32 [n, 1].
      features: float32 [n, f], of the discriminator's last layer but one.
      predictions: Output of each head on the features, by name, float32 [n, units].
    """

    logits: Tensor
    features: Tensor
    predictions: dict[str, Tensor]

    def rows(self, start: int, stop: int) -> "Scores":
        """The scores of the examples from `start` to `stop`, which is not included."""
        predictions = {name: value[start:stop] for name, value in self.predictions.items()}
        return Scores(self.logits[start:stop], self.features[start:stop], predictions)


class Half(NamedTuple):
    """The real or the generated half of a discriminator's batch, after the forward.

    Attributes:
      logits: float32 [b, 1], without those of the examples that tasks added.
      features: float32 [b, f], likewise.
      labels: float [b, num_classes]; None if unconditional.
      seen: Output of each head, by its name, that of the task.
    """

    logits: Tensor
    features: Tensor
    labels: Tensor | None
    seen: dict[str, Seen]

    def placeholder(self) -> "Half":
        """A half of the same shapes for one that was not shown: NaN, which reveals who reads it."""

        def unknown(values: Tensor | None) -> Tensor | None:
            return None if values is None else ops.full_like(values, float("nan"))

        seen = {name: Seen(*map(unknown, each)) for name, each in self.seen.items()}
        return Half(unknown(self.logits), unknown(self.features), unknown(self.labels), seen)


def mixes_examples(network: keras.Model) -> bool:
    """Whether the output for an example depends on all others in the batch, of all replicas.

    A layer that mixes examples says so by an attribute `mixes_examples = True`; for Keras's own
    batch norm, which has no such attribute, it is known.
    """
    return any(
        getattr(layer, "mixes_examples", isinstance(layer, keras.layers.BatchNormalization))
        for layer in network._flatten_layers()
    )


def is_separable(network: keras.Model) -> bool:
    """Whether examples get the same scores in several forwards of a step as in one of all.

    They do not if the network mixes examples, nor if it has state of its own, such as the seed of
    dropout or moving statistics: what is not trained counts as that. Singular vectors of spectral
    norm do not: forwards that begin with the same ones have the same kernels.
    """
    vectors = {id(getattr(layer, "u_var", None)) for layer in network._flatten_layers()}
    has_state = any(id(variable) not in vectors for variable in network.non_trainable_variables)
    return not has_state and not mixes_examples(network)


def needs_halves_apart(network: keras.Model) -> bool:
    """Whether the network must see real and generated images in separate forwards.

    A layer that compares the images of a batch, such as `layers.MinibatchStddev`, says so by an
    attribute `needs_halves_apart = True`: the spread of generated images is informative only
    without real ones among them.
    """
    return any(getattr(layer, "needs_halves_apart", False) for layer in network._flatten_layers())


def of_images(logits: Tensor) -> Tensor:
    """The logits [b, 1] of images, of [b, 1 + n] with those of their pixels."""
    return logits if logits.shape[1] == 1 else logits[:, :1]


def check_forwards(
    penalties: Iterable[Penalty], discriminator: keras.Model, split: bool, gan: str
) -> None:
    """Raises UserError if a penalty would compare images that batch norm saw among others."""
    if split or not mixes_examples(discriminator):
        return
    for penalty in penalties:
        if penalty.compares_forwards:
            raise UserError(
                f"{penalty.name} compares logits of different forwards, and the discriminator has "
                "batch norm, which mixes real and generated images in one of them only: set "
                f"{gan}.deprecated_split_disc_calls = True, or D.batch_norm_fn to another norm."
            )


def check_interval(
    penalty: Penalty, discriminator: keras.Model, generator: keras.Model, replicas: int
) -> None:
    """Raises UserError if a lazy penalty would mix examples of several replicas."""
    requested = set(penalty.requested()) if penalty.interval > 1 else set()
    for name, network, calls in (
        ("discriminator", discriminator, {"discriminator", "discriminator_of_fakes"}),
        ("generator", generator, {"generator", "synthesize"}),
    ):
        if mixes_examples(network) and requested & calls:
            raise UserError(
                f"{penalty.name}.interval must be 1 on {replicas} replicas: the {name} has batch "
                "norm, which averages over them in every step."
            )


def forward_halves(
    discriminate: Callable[[Tensor, Tensor | None], Scores],
    halves: Sequence[tuple[Tensor, Tensor | None, Sequence[AuxiliaryTask]]],
    split: bool = False,
    needs_gradient: Callable[[int, str | None], bool] | None = None,
) -> list[Half]:
    """Shows each half, with the examples that tasks add to it, to the discriminator.

    Args:
      discriminate: Function from images and labels of n examples to their scores.
      halves: For each half images [b, H, W, C], labels [b, num_classes] (or None) and the tasks
        that add examples to it.
      split: Whether to make one forward for each half instead of one for all.
      needs_gradient: Function from the index of a half and the task that added examples to it (None
        for the half's own) to whether gradients with respect to these images are computed. They get
        a forward of their own, through which such gradients are cheaper, and which alone changes
        the state of layers. The scores are the same if the discriminator is separable (see
        `is_separable`). None if it is not; ignored if `split`.

    Returns:
      The outputs of the discriminator and the heads for each half.
    """
    examples: dict[tuple[int, str | None], tuple[Tensor, Tensor | None]] = {}
    for i, (images, y, tasks) in enumerate(halves):
        examples[i, None] = images, y
        for task in tasks:
            extra = task.extra_examples(images, y)
            if extra is not None:
                examples[i, task.name] = extra
    groups = [list(examples)]
    if split:
        groups = [[key for key in examples if key[0] == i] for i in range(len(halves))]
    elif needs_gradient is not None:
        groups = [[k for k in examples if needs_gradient(*k) == needs] for needs in (False, True)]
        groups = [group for group in groups if group]
    scores = {}
    for group in groups:
        last = split or group is groups[-1]
        forward = discriminate if last else without_assignments(discriminate)
        joint, start = forward(*_join([examples[key] for key in group])), 0
        for key in group:
            stop = start + examples[key][0].shape[0]
            scores[key] = joint.rows(start, stop)
            start = stop
    results = []
    for i, (_, y, _) in enumerate(halves):
        own, seen = scores[i, None], {}
        for name, output in own.predictions.items():
            extra_scores = scores.get((i, name))
            extra_output = None if extra_scores is None else extra_scores.predictions[name]
            seen[name] = Seen(output, extra_output, y)
        results.append(Half(own.logits, own.features, y, seen))
    return results


def _join(parts: Sequence[tuple[Tensor, Tensor | None]]) -> tuple[Tensor, Tensor | None]:
    """Joins pairs (images, labels or None) along the batch."""
    if len(parts) == 1:
        return parts[0]
    images, labels = zip(*parts, strict=True)
    y = None if labels[0] is None else ops.concatenate(labels)
    return ops.concatenate(images), y
