"""The conversion of a config of StudioGAN."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

from compare_gan import config
from compare_gan.errors import UserError
from compare_gan.hub.studiogan import networks, objective
from compare_gan.hub.studiogan.settings import Binding, Settings
from compare_gan.training.experiment import Experiment

# By the heading in the gin file, a function from the settings to bindings. It appends to its second
# argument what has no counterpart.
_RULES: dict[str, Callable[[Settings, list[str]], Iterator[Binding]]] = {
    "Data.": networks.data,
    "Networks.": networks.networks,
    "Labels.": networks.conditioning,
    "Loss.": objective.loss,
    "Penalties.": objective.penalties,
    "Augmentations.": objective.augmentations,
    "Optimization.": objective.optimization,
}


@dataclasses.dataclass(frozen=True)
class Conversion:
    """A converted config.

    Attributes:
      gin: The gin file.
      missing: What has no counterpart, or another meaning, in sentences without a full stop.
    """

    gin: str
    missing: tuple[str, ...]


def convert(text: str, name: str = "config.yaml") -> Conversion:
    """The gin file for a config of StudioGAN.

    It trains the same kind of GAN with the same options; architectures are the nearest ones here,
    not the same layer by layer. Evaluation is left at its defaults.

    Args:
      text: The YAML file.
      name: Its name, for messages and the head of the gin file.

    Raises:
      UserError: It is not a config of StudioGAN, its backbone, loss or optimizer has no
        counterpart, a value has another type than there, the result does not pass the checks of
        `train`, or PyYAML is not installed.

    Example:
      >>> from compare_gan.hub.studiogan import convert
      >>> conversion = convert("LOSS: {adv_loss: hinge, apply_wc: true}")
      >>> "loss.fn = @hinge" in conversion.gin, conversion.missing[-1]
      (True, 'LOSS.apply_wc = True')
    """
    settings = Settings(text, name)
    missing: list[str] = []
    sections: dict[str, dict[str, str]] = {}
    for title, rule in _RULES.items():
        bindings = list(rule(settings, missing))
        sections[title] = dict(bindings)
        if len(sections[title]) < len(bindings):
            raise ValueError(f"A parameter is bound twice under '{title}'")
    _check(name, sections)
    missing += [f"{key} = {value}" for key, value in settings.left()]
    head = [f"# Converted from {name} of StudioGAN (https://arxiv.org/abs/2206.09479)."]
    if missing:
        head += ["#", "# Without a counterpart here, or different:", *(f"#   {m}" for m in missing)]
    parts = [[f"# {title}", *_lines(each)] for title, each in sections.items() if each]
    return Conversion("\n\n".join(map("\n".join, [head, *parts])) + "\n", tuple(missing))


def _check(name: str, sections: Mapping[str, Mapping[str, str]]) -> None:
    """Raises UserError unless the bindings pass the checks of `train`; reads no data."""
    with config.bindings_kept():
        try:
            config.parse((), [line for each in sections.values() for line in _lines(each)])
            Experiment.from_gin(fake=True).check()
        except UserError as error:
            raise UserError(f"{name} cannot be converted. {error}") from error


def _lines(bindings: Mapping[str, str]) -> list[str]:
    return [f"{parameter} = {value}" for parameter, value in bindings.items()]
