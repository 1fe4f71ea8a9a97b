"""Parts as users give them, made into the objects that a GAN works with."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import keras

from compare_gan import registry
from compare_gan.augmentations import Augmentation
from compare_gan.augmentations.adaptive import AdaptiveAugmentation
from compare_gan.errors import UserError
from compare_gan.losses import decides_at_zero, is_mean_over_images, needs_class_logits
from compare_gan.memory import Memory
from compare_gan.penalties import FunctionPenalty, Penalty, no_penalty
from compare_gan.penalties.base import function_name
from compare_gan.schedules import Scheduled, check_range, extremes_of

_Part = TypeVar("_Part", bound=Memory)


def make_parts(kind: str, given: Any) -> list[Any]:
    """The parts of a kind, in the order given.

    Args:
      kind: Kind of part in the registry.
      given: A part or a list of parts, each an object, a function, a class (which is called without
        arguments) or a registered name.

    Raises:
      UserError: No part of this kind has the name.
    """
    entries = given if isinstance(given, (list, tuple)) else [given]
    parts = [registry.get(kind, entry) for entry in entries]
    return [part() if inspect.isclass(part) else part for part in parts]


def make_loss(given: Any) -> Callable[..., Any]:
    """The loss, given as a function, a callable object, a class of them or a registered name."""
    [loss] = make_parts("loss", [given])
    if not callable(loss):
        raise UserError(f"The loss must be a function or a registered name, received {loss!r}.")
    return loss


def check_loss(loss: Callable[..., Any], gan: str, conditional: bool, top_k: Scheduled) -> None:
    """Raises UserError if a loss, or the share of images for it, contradicts other options.

    Args:
      loss: The loss.
      gan: Name of the class of the GAN.
      conditional: Its option `conditional`.
      top_k: Its option `top_k`.
    """
    check_range(f"{gan}.top_k", top_k, 0, 1)
    if 0 in extremes_of(f"{gan}.top_k", top_k):
        raise UserError(f"{gan}.top_k must stay above 0: a schedule needs a `final` share above 0.")
    name = getattr(loss, "name", function_name(loss))
    if needs_class_logits(loss) and not conditional:
        raise UserError(f"The loss '{name}' classifies images: it needs {gan}.conditional = True.")
    if top_k != 1 and not is_mean_over_images(loss):
        raise UserError(
            f"{gan}.top_k must be 1 with the loss '{name}', which is not a mean over images."
        )


def check_probabilities(augmentations: Iterable[Augmentation], loss: Callable[..., Any]) -> None:
    """Raises UserError if a probability follows signs of logits that mean nothing with the loss."""
    if decides_at_zero(loss):
        return
    for each in augmentations:
        if isinstance(each, AdaptiveAugmentation) and each.p is None:
            raise UserError(
                f"{each.name}.p must be a number or a schedule with the loss "
                f"'{getattr(loss, 'name', function_name(loss))}': its probability would follow the "
                "signs of logits, and with this loss they do not separate real from generated."
            )


def make_penalties(given: Any) -> list[Penalty]:
    """The penalties; functions become terms of the discriminator's loss with weight 1.

    A single function is named `penalty`; several functions keep their own names. Without any
    penalty, the result is `no_penalty`, which is zero.

    Raises:
      UserError: A penalty is unknown, joins no loss, or requests an unknown value.
    """
    parts = make_parts("penalty", given) or [no_penalty]
    functions = [part for part in parts if not isinstance(part, Penalty)]
    penalties = []
    for part in parts:
        if not isinstance(part, Penalty):
            if not callable(part):
                raise UserError(
                    "A penalty must be a function, a Penalty or a registered name, received "
                    f"{part!r}."
                )
            name = None if len(functions) == 1 else function_name(part)
            part = FunctionPenalty(part, name=name)
        part.check()
        penalties.append(part)
    return unique_names("penalty", penalties)


def unique_names(kind: str, parts: Sequence[Any]) -> list[Any]:
    """Returns the parts if their names, which logs and checkpoints use, are all different.

    Raises:
      UserError: Two parts have the same name.
    """
    names = [part.name for part in parts]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"Two parts of the kind '{kind}' are named '{name}': give one of them another "
                "name (its attribute `name`)."
            )
    return list(parts)


def make_augmentations(given: Any) -> list[Augmentation]:
    """The augmentations.

    Raises:
      UserError: One is unknown, or is not an Augmentation.
    """
    parts = make_parts("augmentation", given)
    for part in parts:
        if not isinstance(part, Augmentation):
            raise UserError(
                f"An augmentation must be an Augmentation or a registered name, received {part!r}."
            )
        part.check_name()
    return unique_names("augmentation", parts)


def prepared(parts: Iterable[_Part]) -> list[_Part]:
    """Copies of parts with variables of their own."""
    return [part.prepared_copy() for part in parts]


def memories(group: str, parts: Iterable[Memory]) -> dict[str, list[keras.Variable]]:
    """The variables of parts by `group/name` of the part, if it has any."""
    return {f"{group}/{part.name}": part.variables for part in parts if part.variables}
