"""Gradients of the discriminator's logits with respect to images, from the forward of its step."""

import inspect
from collections.abc import Callable, Iterable, Sequence

import keras

from compare_gan.backend import gradients_with_outputs
from compare_gan.gans.examples import Half, mixes_examples, of_images
from compare_gan.penalties import Penalty
from compare_gan.types import Tensor


def requested_gradients(
    penalties: Iterable[Penalty], discriminator: keras.Model, apart: bool, with_tasks: bool
) -> tuple[bool, bool]:
    """Whether a discriminator step computes `real_gradients` and `fake_gradients` for penalties.

    A lazy penalty alone is no reason, because it would not need them in most steps. They must also
    be the gradients that a forward of a half's own images alone would give.

    Args:
      penalties: All penalties of the GAN.
      discriminator: The discriminator.
      apart: Whether it sees the halves in separate forwards, in which it may compare images.
      with_tasks: Whether tasks may add examples to them.
    """
    if mixes_examples(discriminator) or (apart and with_tasks):
        return False, False
    terms = [penalty.term("discriminator") for penalty in penalties if penalty.interval == 1]
    requested = {name for term in terms if term for name in inspect.signature(term).parameters}
    return "real_gradients" in requested, "fake_gradients" in requested


def with_gradients(
    forward: Callable[[Tensor, Tensor], list[Half]],
    images: Sequence[Tensor],
    wanted: Sequence[bool],
) -> tuple[list[Half], list[Tensor | None]]:
    """One forward of both halves, and gradients of their logits.

    Args:
      forward: Function from real and generated images, before augmentation, to both halves. The
        logits of one half must not depend on the images of the other.
      images: Real and generated images, float [b, H, W, C].
      wanted: For each of them, whether the gradient is wanted.

    Returns:
      The halves, and for each the gradient of the sum of its images' logits with respect to the
      images, [b, H, W, C]; None unless wanted.
    """
    chosen = [i for i, each in enumerate(wanted) if each]
    gradients: list[Tensor | None] = [None] * len(images)
    if not chosen:
        return forward(*images), gradients

    def logits_and_halves(*differentiated: Tensor) -> tuple[list[Tensor], list[Half]]:
        given = list(images)
        for i, tensor in zip(chosen, differentiated, strict=True):
            given[i] = tensor
        halves = forward(*given)
        return [of_images(halves[i].logits) for i in chosen], halves

    found, halves = gradients_with_outputs(logits_and_halves, [images[i] for i in chosen])
    for i, gradient in zip(chosen, found, strict=True):
        gradients[i] = gradient
    return halves, gradients
