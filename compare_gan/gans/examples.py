"""The discriminator's batch: real and generated halves, and what tasks add, in one forward."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from compare_gan.gans.tasks import AuxiliaryTask, Seen


class Scores(NamedTuple):
    """What the discriminator says about n examples.

    Attributes:
      logits: float32 [n, 1].
      features: float32 [n, f], of the discriminator's last layer but one.
      predictions: By task, what its head says, float32 [n, units].
    """

    logits: Any
    features: Any
    predictions: dict[str, Any]

    def rows(self, start: int, stop: int) -> "Scores":
        """The scores of the examples from `start` to before `stop`."""
        predictions = {name: value[start:stop] for name, value in self.predictions.items()}
        return Scores(self.logits[start:stop], self.features[start:stop], predictions)


class Half(NamedTuple):
    """The real or the generated half of a discriminator's batch, after the forward.

    Attributes:
      logits: float32 [b, 1], without those of the examples that tasks added.
      features: float32 [b, f], likewise.
      seen: Output of each task's head, by task.
    """

    logits: Any
    features: Any
    seen: dict[str, Seen]


def mixes_examples(network: keras.Model) -> bool:
    """Whether the output for an example depends on the others in the batch.

    A layer that mixes examples says so by an attribute `mixes_examples = True`; for Keras's own
    batch norm, which has no such attribute, it is known.
    """
    return any(
        getattr(layer, "mixes_examples", isinstance(layer, keras.layers.BatchNormalization))
        for layer in network._flatten_layers()
    )


def forward_halves(
    discriminate: Callable[[Any, Any], Scores],
    halves: Sequence[tuple[Any, Any, Sequence[AuxiliaryTask]]],
    split: bool = False,
) -> list[Half]:
    """Shows each half and what tasks add to it to the discriminator.

    Args:
      discriminate: From images and labels of n examples to their scores.
      halves: Of each half images [b, H, W, C], labels [b, num_classes] (or None) and the tasks that
        add examples to it.
      split: One forward for each half instead of one for all.

    Returns:
      What the discriminator and the heads say of each half.
    """
    extended, layouts = zip(*(_extend(*half) for half in halves), strict=True)
    if split:
        scores = [discriminate(*half) for half in extended]
    else:
        joint, start, scores = discriminate(*_join(extended)), 0, []
        for images, _ in extended:
            scores.append(joint.rows(start, start + images.shape[0]))
            start += images.shape[0]
    results = []
    for (images, y, _), layout, score in zip(halves, layouts, scores, strict=True):
        b, seen = images.shape[0], {}
        for name, output in score.predictions.items():
            extra = output[layout[name]] if name in layout else None
            seen[name] = Seen(output[:b], extra, y)
        results.append(Half(score.logits[:b], score.features[:b], seen))
    return results


def _extend(images, y, tasks: Sequence[AuxiliaryTask]):
    """A half with what tasks add to it, and by task the rows where that lies."""
    parts, layout, stop = [(images, y)], {}, images.shape[0]
    for task in tasks:
        extra = task.extra_examples(images, y)
        if extra is not None:
            parts.append(extra)
            start, stop = stop, stop + extra[0].shape[0]
            layout[task.name] = slice(start, stop)
    return _join(parts), layout


def _join(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Joins pairs (images, labels or None) along the batch."""
    if len(parts) == 1:
        return parts[0]
    images, labels = zip(*parts, strict=True)
    y = None if labels[0] is None else ops.concatenate(labels)
    return ops.concatenate(images), y
