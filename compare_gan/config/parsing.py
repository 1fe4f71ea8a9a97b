"""Parses gin configs and points to the line of a mistake."""

import contextlib
import os
import tokenize
from collections.abc import Iterator, Sequence

import gin

from compare_gan import registry
from compare_gan.config import gin_internals
from compare_gan.config.each_statement import parse_each
from compare_gan.config.imports import import_freely, importer_of_run
from compare_gan.config.messages import (
    ConfigError,
    check_parameter,
    explain,
    required_missing,
)
from compare_gan.config.mistakes import Mistakes
from compare_gan.config.names import example_folder, find_config
from compare_gan.config.places import Binding, Places
from compare_gan.errors import MistakesError, UserError
from compare_gan.terminal import in_utf_8, sentence_of

# Errors that gin raises for a config that it cannot parse.
_PARSE_ERRORS = (
    AttributeError,
    ImportError,
    LookupError,
    OSError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
)

# The places of the bindings of the last `parse`; like gin's bindings, of the whole process.
_places = Places()


def parse(
    gin_configs: Sequence[str] = (),
    gin_bindings: Sequence[str] = (),
    allow_imports: Sequence[str] | None = None,
    mistakes: Mistakes | None = None,
    copies: str | None = None,
) -> None:
    """Parses gin files and then bindings, which win. Earlier bindings of gin are dropped.

    Args:
      gin_configs: Paths of gin files, or names of example configs (`s3gan_fashion_mnist`). An
        included file is searched for in the folder of the file that includes it, then in the
        folders of the files that include that one, then among the example configs, then in the
        working directory.
      gin_bindings: Bindings such as `"options.batch_size = 64"`.
      allow_imports: None if the files are the user's own, which may import anything, also from the
        working directory. For files of a run directory, which somebody else may have written: the
        modules that they may import besides those that are installed, or folders
        `modules/<step>` of a run, from which they may import the copies. Bindings are the user's
        own in any case.
      mistakes: Notes the mistakes of single bindings, which are then left out, so that the caller
        can look for more; None = they are raised, all at once.
      copies: Folder with copies of the modules of the run, which the message names where a module
        is missing.

    Raises:
      UserError: A file is missing, a line has an unknown name, or an import is not allowed; the
        message has the file, the line and the nearest valid name.
      MistakesError: There are several mistakes.

    Example:
      >>> from compare_gan import config
      >>> config.parse(["s3gan_fashion_mnist"], ["options.batch_size = 16"])
      >>> config.is_bound("options.batch_size")
      True
    """
    global _places
    registry.load_all()
    gin.clear_config()
    paths = [os.path.abspath(find_config(path)) for path in gin_configs]
    gin_bindings = [in_utf_8(binding) for binding in gin_bindings]  # They may name files.
    folders = [*(os.path.dirname(path) for path in paths), example_folder()]
    found = Mistakes() if mistakes is None else mistakes
    importer = import_freely if allow_imports is None else importer_of_run(allow_imports, copies)
    try:
        with gin_internals.search_path(folders):
            with gin_internals.importing_with(importer):
                gin.parse_config_files_and_bindings(paths, (), finalize_config=False)
            with gin_internals.importing_with(import_freely):
                gin.parse_config(list(gin_bindings))
    except _PARSE_ERRORS as error:
        with gin_internals.importing_with(importer):
            wrong = parse_each(paths, gin_bindings, folders)
        if not wrong:
            raise explain(error) from error
        for each in wrong:
            with found.noted():
                raise each from error
    _places = Places(paths, gin_bindings, folders)
    # Gin accepts any name for a class that passes **kwargs on to its base.
    for selector, name, _ in gin_internals.bindings():
        with found.noted(), located(f"{selector}.{name}"):
            check_parameter(selector, name)
    if mistakes is None:
        found.raise_any()


def is_bound(parameter: str) -> bool:
    """Whether gin binds a value to this parameter (`S3GAN.g_lr`).

    Example:
      >>> from compare_gan import config
      >>> config.parse([], ["S3GAN.g_lr = 1e-4"])
      >>> config.is_bound("S3GAN.g_lr"), config.is_bound("S3GAN.d_lr")
      (True, False)
    """
    try:
        gin.query_parameter(parameter)
    except ValueError:
        return False
    return True


def config_text() -> str:
    """All bindings that gin holds, as the text of a gin file.

    Example:
      >>> from compare_gan import config
      >>> config.parse([], ["S3GAN.g_lr = 1e-4"])
      >>> "S3GAN.g_lr = 0.0001" in config.config_text()
      True
    """
    return gin.config_str()


def operative_text() -> str:
    """The bindings that have been used until now, defaults included, as the text of a gin file.

    Example:
      >>> from compare_gan import config
      >>> from compare_gan.training.run_options import RunConfig
      >>> config.parse([], ["run_config.tf_random_seed = 3"])
      >>> options = RunConfig()
      >>> "run_config.tf_random_seed = 3" in config.operative_text()
      True
    """
    return gin.operative_config_str()


class Bindings:
    """The bindings of one config, which gin holds at this moment, to return to later.

    Gin's bindings are of the whole process: another config that is parsed meanwhile, or another run
    that is loaded, replaces them. Parts that are built inside `active` get these.

    Example:
      >>> from compare_gan import config
      >>> config.parse([], ["options.batch_size = 8"])
      >>> bindings = config.Bindings()
      >>> config.parse()
      >>> with bindings.active():
      ...     config.is_bound("options.batch_size")
      True
      >>> config.is_bound("options.batch_size")
      False
    """

    def __init__(self) -> None:
        self._snapshot = gin_internals.Snapshot()
        self._places = _places

    @property
    def stated(self) -> Sequence[Binding]:
        """The bindings as files and the command line state them, replaced ones included.

        Example:
          >>> from compare_gan import config
          >>> config.parse([], ["options.z_dim = 8", "options.z_dim = 4"])
          >>> [(each.key, each.value, each.place) for each in config.Bindings().stated]
          [('options.z_dim', 8, '--gin_bindings'), ('options.z_dim', 4, '--gin_bindings')]
        """
        return self._places.bindings

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Gin holds these bindings inside, and afterwards what it held before."""
        if self._snapshot.is_current:
            yield
            return
        with bindings_kept():
            self._restore()
            yield

    def _restore(self) -> None:
        global _places
        self._snapshot.restore()
        _places = self._places


@contextlib.contextmanager
def bindings_kept() -> Iterator[None]:
    """Configs may be parsed inside; afterwards gin holds what it held before.

    Example:
      >>> from compare_gan import config
      >>> with config.bindings_kept():
      ...     config.parse([], ["options.batch_size = 8"])
      >>> config.is_bound("options.batch_size")
      False
    """
    before = Bindings()
    try:
        yield
    finally:
        before._restore()


@contextlib.contextmanager
def located(*parameters: str) -> Iterator[None]:
    """Adds the place in the config to a UserError raised inside; its message begins with it.

    Gin's error about a missing required value becomes a UserError too.

    Args:
      *parameters: Parameters (`options.architecture`) to point to if the message names none.

    Raises:
      ConfigError: The error inside, with its place.

    Example:
      >>> from compare_gan import config
      >>> from compare_gan.errors import UserError
      >>> config.parse([], ["options.batch_size = 3"])
      >>> with config.located("options.batch_size"):
      ...     raise UserError("The batch size must be even.")
      Traceback (most recent call last):
      compare_gan.config.messages.ConfigError: --gin_bindings: The batch size must be even.
    """
    try:
        yield
    except ConfigError:
        raise
    except MistakesError as several:
        raise MistakesError(
            each if isinstance(each, ConfigError) else _placed(sentence_of(each), parameters)
            for each in several.errors
        ) from several
    except UserError as error:
        raise _placed(sentence_of(error), parameters) from error
    except RuntimeError as error:
        sentence = required_missing(error)
        if sentence is None:
            raise
        raise _placed(sentence, parameters) from error


def _placed(sentence: str, parameters: Sequence[str]) -> ConfigError:
    sentence = _places.as_bound(sentence)
    place = _places.of_sentence(sentence, parameters)
    return ConfigError(f"{place}: {sentence}" if place else sentence)
