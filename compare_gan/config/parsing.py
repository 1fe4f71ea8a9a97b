"""Parses gin configs and points to the line of a mistake."""

import contextlib
import os
from collections.abc import Iterator, Sequence

import gin

from compare_gan import registry
from compare_gan.config import gin_internals
from compare_gan.config.messages import (
    ConfigError,
    check_parameter,
    explain,
    required_missing,
)
from compare_gan.config.names import example_folder, find_config
from compare_gan.config.places import Places
from compare_gan.errors import UserError

# What gin raises for a config that it cannot parse.
_PARSE_ERRORS = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)

# As gin's bindings, of the whole process: where those of the last `parse` are written.
_places = Places()


def parse(gin_configs: Sequence[str] = (), gin_bindings: Sequence[str] = ()) -> None:
    """Parses gin files and then bindings, which win. Earlier bindings of gin are dropped.

    Args:
      gin_configs: Paths of gin files, or names of example configs (`s3gan_fashion_mnist`). An
        `include` is looked for beside the file that it is in, then beside those that include that
        one, then among the example configs, then in the working directory.
      gin_bindings: Bindings such as `"options.batch_size = 64"`.

    Raises:
      UserError: A file is missing, or a line names what is not there; the message holds the file,
        the line and the nearest valid name.
    """
    global _places
    registry.load_all()
    gin.clear_config()
    paths = [os.path.abspath(find_config(path)) for path in gin_configs]
    folders = [*(os.path.dirname(path) for path in paths), example_folder()]
    try:
        with gin_internals.search_path(folders):
            gin.parse_config_files_and_bindings(paths, list(gin_bindings), finalize_config=False)
    except _PARSE_ERRORS as error:
        raise explain(error) from error
    _places = Places(paths, gin_bindings, folders)
    # Gin lets any name through to a class that passes **kwargs on to its base.
    for selector, name, _ in gin_internals.bindings():
        with located(f"{selector}.{name}"):
            check_parameter(selector, name)


def is_bound(parameter: str) -> bool:
    """Whether gin gives this parameter (`S3GAN.g_lr`) a value."""
    try:
        gin.query_parameter(parameter)
    except ValueError:
        return False
    return True


def config_text() -> str:
    """All bindings that gin holds, as a gin file."""
    return gin.config_str()


def operative_text() -> str:
    """The bindings that have been used until now, defaults included, as a gin file."""
    return gin.operative_config_str()


@contextlib.contextmanager
def located(*about: str) -> Iterator[None]:
    """Makes a UserError raised inside begin with the place in the config that is to blame.

    Gin's complaint about a missing required value becomes a UserError too.

    Args:
      about: Parameters (`options.architecture`) to point to where the message names none.
    """
    try:
        yield
    except ConfigError:
        raise
    except UserError as error:
        raise _placed(str(error).split("\n", 1)[0], about) from error  # Gin appends lines.
    except RuntimeError as error:
        sentence = required_missing(error)
        if sentence is None:
            raise
        raise _placed(sentence, about) from error


def _placed(sentence: str, about: Sequence[str]) -> ConfigError:
    sentence = _places.as_bound(sentence)
    place = _places.of_sentence(sentence, about)
    return ConfigError(f"{place}: {sentence}" if place else sentence)
