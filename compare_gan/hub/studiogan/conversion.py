"""The conversion of a config of StudioGAN."""

import dataclasses
from collections.abc import Callable, Iterator

from compare_gan.hub.studiogan import networks, objective
from compare_gan.hub.studiogan.settings import Binding, Settings

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
        counterpart, or PyYAML is not installed.

    Example:
      >>> from compare_gan.hub.studiogan import convert
      >>> conversion = convert("LOSS: {adv_loss: hinge, apply_wc: true}")
      >>> "loss.fn = @hinge" in conversion.gin, conversion.missing[-1]
      (True, 'LOSS.apply_wc = True')
    """
    settings = Settings(text, name)
    missing: list[str] = []
    sections = []
    for title, rule in _RULES.items():
        bindings = dict(rule(settings, missing))
        if bindings:
            lines = [f"{parameter} = {value}" for parameter, value in bindings.items()]
            sections.append("\n".join([f"# {title}", *lines]))
    missing += [f"{key} = {value}" for key, value in settings.left()]
    head = [f"# Converted from {name} of StudioGAN (https://arxiv.org/abs/2206.09479)."]
    if missing:
        head += ["#", "# Without a counterpart here, or different:", *(f"#   {m}" for m in missing)]
    return Conversion("\n\n".join(["\n".join(head), *sections]) + "\n", tuple(missing))
