"""Gin files by path or by name: the example configs come with the library.

`s3gan_fashion_mnist` and `few_labels/s2gan_fashion_mnist` are names. A name may end in `.gin` and
begin with `example_configs/`, so that paths in a checkout work everywhere.
"""

import os
from typing import NamedTuple

from compare_gan.errors import UserError, nearest
from compare_gan.natural_order import natural_key

_FOLDER = "example_configs"
_STUDIES = "studies/"
_HINT = "`compare_gan configs` lists those that have a name."
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class ExampleConfig(NamedTuple):
    """One example config.

    Attributes:
      name: Name that `--gin_config` takes: `few_labels/s2gan_fashion_mnist`.
      path: Path of the file.
      headline: First line of its header.
    """

    name: str
    path: str
    headline: str


def example_folder() -> str:
    """The folder of the example configs: in the installed package, or next to it in a checkout."""
    inside = os.path.join(_PACKAGE, _FOLDER)
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_PACKAGE), _FOLDER)


def example_configs() -> list[ExampleConfig]:
    """All example configs that can be trained, sorted by name, those in folders last.

    Files that others include (`*_common.gin`) and studies are left out.

    Example:
      >>> from compare_gan.config import example_configs
      >>> {config.name: config.headline for config in example_configs()}["dcgan_celeba64"]
      'DCGAN on CelebA, 64 x 64.'
    """
    return [each for each in _examples() if not each.name.startswith(_STUDIES)]


def example_studies() -> list[ExampleConfig]:
    """All example studies, which `compare_gan study run` takes by name.

    Example:
      >>> from compare_gan.config import example_studies
      >>> "studies/losses_fashion_mnist" in [study.name for study in example_studies()]
      True
    """
    return [each for each in _examples() if each.name.startswith(_STUDIES)]


def _examples() -> list[ExampleConfig]:
    found = [
        ExampleConfig(name, path, _headline(path))
        for name, path in _named_files().items()
        if not name.endswith("_common")
    ]
    return sorted(found, key=lambda config: (config.name.count("/"), natural_key(config.name)))


def find_config(path_or_name: str) -> str:
    """Returns the path of a gin file.

    Args:
      path_or_name: Path; or name of an example config, if there is no such file.

    Raises:
      UserError: There is neither such a file nor such a name; the message has the nearest name.

    Example:
      >>> import os
      >>> from compare_gan.config import find_config
      >>> os.path.basename(find_config("few_labels/s2gan_fashion_mnist"))
      's2gan_fashion_mnist.gin'
    """
    if os.path.isfile(path_or_name):
        return path_or_name
    named = _named_files()
    name = path_or_name.replace(os.sep, "/").removesuffix(".gin").removeprefix(f"{_FOLDER}/")
    if name in named:
        return named[name]
    raise _missing(path_or_name, name, named)


def _named_files() -> dict[str, str]:
    """The paths of all gin files of the example folder by name."""
    root = example_folder()
    found = {}
    for folder, _, files in os.walk(root):
        for file in files:
            if file.endswith(".gin"):
                path = os.path.join(folder, file)
                name = os.path.relpath(path, root).removesuffix(".gin").replace(os.sep, "/")
                found[name] = path
    return found


def _headline(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def _missing(path: str, name: str, named: dict[str, str]) -> UserError:
    folder = os.path.dirname(path)
    guess = None
    sentence = f"There is no gin config '{path}'"
    if os.path.isdir(folder or "."):
        files = [file for file in os.listdir(folder or ".") if file.endswith(".gin")]
        guess = nearest(os.path.basename(path), files)
        guess = guess and os.path.join(folder, guess)
    else:
        sentence += f"; there is no folder '{folder}' either"
    guess = guess or nearest(name, named)
    hint = f"Did you mean '{guess}'?" if guess else _HINT
    return UserError(f"{sentence}. {hint}")
