"""The cache of compiled programs on disk: JAX compiles nothing when a run is started again."""

import logging
import os
import platform

import keras

from compare_gan import files

_log = logging.getLogger(__name__)

_SETTING = "jax_compilation_cache_dir"


def use_compilation_cache(option: bool | str = True) -> str | None:
    """Makes JAX keep compiled programs on disk and look for them there.

    It applies to programs compiled from now on. TensorFlow has no such cache, so that nothing
    changes there.
    A cache contains machine code, so only the user should be able to write to its folder.

    Its size is not limited. JAX's own limit, `jax_compilation_cache_max_size`, needs the package
    `filelock`, locks the whole folder for each program that is read, and cannot write to a folder
    that was used without it.

    Args:
      option: True for the folder that JAX is set to (`JAX_COMPILATION_CACHE_DIR`), or else for one
        in `files.cache_dir()`; the path of another folder; False or an empty path for no cache.

    Returns:
      The folder; None if there is no cache.

    Example:
      >>> from compare_gan import engine
      >>> engine.use_compilation_cache(False)
    """
    if keras.backend.backend() != "jax":
        return None
    import jax
    from jax.experimental.compilation_cache import compilation_cache

    before = getattr(jax.config, _SETTING)
    folder = option if isinstance(option, str) else option and (before or _own_folder())
    folder = _writable(folder) if folder else None
    if folder != before:
        jax.config.update(_SETTING, folder)
        compilation_cache.reset_cache()  # JAX opens the folder once.
    return folder


def _own_folder() -> str:
    """One folder for each type of CPU: a home directory may belong to several machines.

    JAX's keys do not name the instructions that a program compiled for a CPU uses.
    """
    cpu = platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            cpu += next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:  # Not Linux.
        cpu += platform.processor()
    return os.path.join(files.cache_dir(), "jax", files.digest(cpu)[:12])


def _writable(folder: str) -> str | None:
    """The absolute path of the folder, which is created; None, with a note, if it cannot be.

    JAX makes folders at remote paths (`gs://…`) itself.
    """
    if "://" in folder:
        return folder
    folder = os.path.abspath(os.path.expanduser(folder))
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        _log.warning("Compiled programs are not cached: %s: %s.", error.strerror, folder)
        return None
    return folder
