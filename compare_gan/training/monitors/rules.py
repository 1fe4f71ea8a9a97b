"""The rules of early warnings: what is seen in the values, and the gin line that usually helps."""

import dataclasses
from collections.abc import Callable, Mapping

Values = Mapping[str, float]

_USUAL_RATE = 0.0002
# From here on neighbouring numbers of float32 are 2 apart.
_ABSURD = 2.0**24
_WEIGHTS = {"rotation": "S3GAN.weight_rotation_loss_d", "class": "S3GAN.weight_class_loss"}

ROTATION, PREDICTOR = "accuracy/rotation_accuracy_real", "accuracy/class_accuracy"


@dataclasses.dataclass(frozen=True)
class Training:
    """The properties of a training that rules and advice depend on.

    Attributes:
      g_lr, d_lr: Learning rates now.
      spectral_norm: Whether the discriminator's kernels are spectrally normalized.
      coverage: The share of the training images that fakes are compared with.
      weights: Weights of the tasks in the discriminator's loss, by the names of their gin options.
      chances: The accuracy of guessing, for each accuracy that has one.
    """

    g_lr: float
    d_lr: float
    spectral_norm: bool = False
    coverage: float = 1.0
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    chances: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Rule:
    """One early warning.

    Attributes:
      name: Its name.
      seen: From values and training to a clause that says what is seen; None if all is well.
      advice: From the training to a gin binding that usually helps.
      at_once: Whether one observation suffices, at any step.
    """

    name: str
    seen: Callable[[Values, Training], str | None]
    advice: Callable[[Training], str]
    at_once: bool = False


def _lower_g_lr(training: Training) -> str:
    return f"ModularGAN.g_lr = {_lower(training.g_lr):.3g}"


def _lower_d_lr(training: Training) -> str:
    return f"ModularGAN.d_lr = {_lower(training.d_lr):.3g}"


def _lower(rate: float) -> float:
    return min(rate / 4 or _USUAL_RATE, _USUAL_RATE)


def _collapse(values: Values, training: Training) -> str | None:
    share = values.get("variety", 1.0)
    if share >= 0.2:
        return None
    return f"samples vary only {share:.1%} as much as real images do (collapse)"


def _saturation(values: Values, training: Training) -> str | None:
    inside, real = values.get("share_inside", 1.0), values.get("share_inside_real", 0.0)
    if real < 0.02 or inside >= real / 5:
        return None
    return (
        f"{1 - inside:.1%} of the samples' pixels are black or white, but {1 - real:.1%} of real "
        "images' (saturation)"
    )


def _frozen(values: Values, training: Training) -> str | None:
    if values.get("movement", 1.0) >= 5e-4:
        return None
    return "the samples of fixed latents hardly change any more (frozen generator)"


def _dead(network: str) -> Callable[[Values, Training], str | None]:
    def seen(values: Values, training: Training) -> str | None:
        norm = values.get(f"gradient_norm/{network}", 1.0)
        return None if norm >= 1e-6 else f"the {network}'s gradient has vanished (norm {norm:.1e})"

    return seen


def _exploding(network: str) -> Callable[[Values, Training], str | None]:
    def seen(values: Values, training: Training) -> str | None:
        norm = values.get(f"gradient_norm/{network}", 0.0)
        growth = values.get(f"gradient_growth/{network}", 1.0)
        if norm > 1e4 or growth > 1e3:
            grown = f"{growth:.3g} times its minimum"
            return f"the {network}'s gradient explodes (norm {norm:.1e}, {grown})"
        return None

    return seen


def _absurd(values: Values, training: Training) -> str | None:
    size = values.get("largest_loss", 0.0)
    if size < _ABSURD:
        return None
    return f"a loss has reached {size:.1e}, where float32 no longer resolves differences of 1"


def _wild(values: Values, training: Training) -> str | None:
    share = values.get("d_loss_share", 1.0)
    if share <= 20:
        return None
    return f"the discriminator's loss is {share:.3g} times that of guessing (it is out of control)"


def _limit(values: Values, training: Training) -> str | None:
    share = values.get("d_loss_share", 1.0)
    if share >= 0.01:
        return None
    return f"the discriminator is saturated: its loss is {share:.2%} of that of guessing"


def _overfitting(values: Values, training: Training) -> str | None:
    share, errors = values.get("overfitting", 0.0), values.get("overfitting_errors", 0.0)
    if share <= 0.5 or errors <= 4:
        return None
    return (
        f"the discriminator overfits: its logits place held-out images {share:.0%} of the way from "
        "training to generated images (r_v)"
    )


def _memorization(values: Values, training: Training) -> str | None:
    share = values.get("copies", 0.0)
    if share < 0.03 or share < 0.2 * training.coverage:
        return None
    return f"{share:.0%} of the samples are copies of training images (memorization)"


def _solved(task: str, measure: str) -> Callable[[Values, Training], str | None]:
    def seen(values: Values, training: Training) -> str | None:
        value = values.get(measure, 0.0)
        if value < 0.995:
            return None
        return f"the {task} task is solved ({measure} {value:.1%}): its loss teaches nothing more"

    return seen


def _unsolved(task: str, measure: str) -> Callable[[Values, Training], str | None]:
    def seen(values: Values, training: Training) -> str | None:
        value, chance = values.get(measure, 1.0), training.chances.get(measure, 0.0)
        if not chance or value > chance + 0.05:
            return None
        return f"the {task} task is not learned ({measure} {value:.1%}, guessing {chance:.1%})"

    return seen


def _limit_discriminator(training: Training) -> str:
    return _lower_d_lr(training) if training.spectral_norm else "D.spectral_norm = True"


def _reweighted(task: str, factor: float) -> Callable[[Training], str]:
    def advice(training: Training) -> str:
        for option, weight in training.weights.items():
            if task in option:
                return f"{option} = {weight * factor:.3g}"
        return f"{_WEIGHTS[task]} = {factor:.3g}"

    return advice


def _augment(training: Training) -> str:
    return "ModularGAN.augmentations = [@diff_augment()]"


RULES = (
    Rule("collapse", _collapse, _lower_g_lr),
    Rule("saturation", _saturation, _lower_g_lr),
    Rule("frozen_generator", _frozen, lambda t: "loss.fn = @hinge" if t.g_lr else _lower_g_lr(t)),
    Rule("dead_generator", _dead("generator"), _lower_d_lr),
    Rule("dead_discriminator", _dead("discriminator"), _limit_discriminator),
    Rule("exploding_generator", _exploding("generator"), _lower_g_lr),
    Rule("exploding_discriminator", _exploding("discriminator"), _lower_d_lr),
    Rule("absurd_loss", _absurd, _lower_d_lr, at_once=True),
    Rule("wild_discriminator", _wild, _lower_d_lr),
    Rule("discriminator_limit", _limit, _limit_discriminator),
    Rule("overfitting", _overfitting, _augment),
    Rule("memorization", _memorization, _augment),
    Rule("rotation_solved", _solved("rotation", ROTATION), _reweighted("rotation", 0.5)),
    Rule("rotation_unsolved", _unsolved("rotation", ROTATION), _reweighted("rotation", 2)),
    Rule("predictor_solved", _solved("class", PREDICTOR), _reweighted("class", 0.5)),
    Rule("predictor_unsolved", _unsolved("class", PREDICTOR), _reweighted("class", 2)),
)
