"""The engine of a command, and the settings that have to precede its import.

Nothing here imports Keras, TensorFlow or JAX before the engine is chosen.
"""

import contextlib
import functools
import gc
import importlib.util
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from compare_gan.errors import UserError, with_suggestion
from compare_gan.terminal import printable

_log = logging.getLogger(__name__)

# What Keras calls the backends that the runner has an engine for, and their own names.
ENGINES = {"tensorflow": "TensorFlow", "jax": "JAX"}

# Keras and TensorFlow import these where they are installed, which takes almost as long as
# importing the parts that are used, for parts that no command uses: wrappers for scikit-learn,
# galleries of images, TensorFlow Lite of JAX functions. `docs/extending/index.md` names them for
# the user's own code. pandas is not among them: without it Keras gives a step data frames in other
# shapes.
_UNUSED = ("jax", "matplotlib", "sklearn")

_HOW_TO_INSTALL = {
    "tensorflow": "`pip install compare_gan`",
    "jax": '`pip install "compare_gan[jax]"`',
}


def available_cores() -> int:
    """The number of cores that this process may use, which can be below that of the machine."""
    if hasattr(os, "sched_getaffinity"):  # Not on macOS.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def quick_imports(engine: str) -> Iterator[None]:
    """The context in which Keras and its backend are imported without what no command uses.

    Packages that they would import as well seem to be missing meanwhile; later they can be
    imported, but those parts of Keras and TensorFlow go on without them. Nor does the garbage
    collector run meanwhile. Where Keras has been imported already, the context does nothing.

    Args:
      engine: The backend of Keras, which is never left out.

    Example:
      >>> from compare_gan import startup
      >>> with startup.quick_imports("tensorflow"):
      ...     import keras
    """
    if "keras" in sys.modules:
        yield
        return
    hidden = [name for name in _UNUSED if name not in sys.modules and name != engine]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    collects = gc.isenabled()
    gc.disable()  # It would find hardly anything in many thousands of new objects.
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name) is None:
                sys.modules.pop(name, None)
        if collects:
            gc.enable()


def freeze_imports() -> None:
    """Freezes the imported objects: the garbage collector no longer scans them.

    It never again looks at any object that exists now, garbage included: call it once, right after
    the imports of a process.

    Example:
      >>> import gc
      >>> from compare_gan import startup
      >>> startup.freeze_imports()
      >>> gc.get_freeze_count() > 1000
      True
      >>> gc.unfreeze()  # Not in a command.
    """
    gc.freeze()


def cpu_name() -> str:
    """The name of the processor, or of its type where that is all that is known.

    Example:
      >>> from compare_gan.startup import cpu_name
      >>> cpu_name()  # doctest: +SKIP
      'AMD EPYC 9R14'
    """
    return cpu_entry("model name") or platform.processor() or platform.machine()


def has_bfloat16() -> bool:
    """Whether the processor is known to have instructions for bfloat16: AVX512-BF16, AMX, Arm's.

    Example:
      >>> from compare_gan.startup import has_bfloat16
      >>> has_bfloat16() in (True, False)
      True
    """
    flags = f"{cpu_entry('flags')} {cpu_entry('Features')}".split()  # Intel's and AMD's, Arm's.
    return not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(flags)


def cpu_entry(name: str) -> str:
    """What Linux says about the first core under this name; empty where it says nothing.

    Args:
      name: A name in `/proc/cpuinfo`, such as `flags`.

    Example:
      >>> from compare_gan.startup import cpu_entry
      >>> cpu_entry("no such name")
      ''
    """
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            fields = (line.partition(":") for line in file)
            return next((value.strip() for key, _, value in fields if key.strip() == name), "")
    except OSError:  # Not Linux.
        return ""


def prepare_engine() -> str:
    """Chooses the engine of a command and applies its settings where the user has made none.

    The engine is the backend of Keras, which is looked up where Keras looks: in KERAS_BACKEND, then
    in Keras's config file, else `tensorflow`. If KERAS_BACKEND is not set and TensorFlow is not
    installed, but JAX is, it is `jax`: Keras writes `tensorflow` into its config file by itself, so
    that the file does not show what the user wants.

    Returns:
      `tensorflow` or `jax`; TensorFlow is then imported, JAX is not.

    Raises:
      UserError: There is no engine of this name, it is not installed, or Keras has been imported
        with another backend.
    """
    engine, reason = _choose()
    loaded = sys.modules.get("keras")
    if loaded is not None and loaded.backend.backend() != engine:
        raise UserError(
            f"The engine would be '{engine}', but Keras has been imported with the backend "
            f"'{loaded.backend.backend()}' already."
        )
    os.environ["KERAS_BACKEND"] = engine
    if engine == "tensorflow":
        _load_tensorflow()
    _log_to_stderr()
    _print_any_name()
    if reason:
        _log.info(reason)
    return engine


def prepare_tensorflow() -> None:
    """Does what `prepare_engine` does, for programs that run on TensorFlow only.

    Raises:
      UserError: As `prepare_engine`, or the engine is another one.
    """
    if (engine := prepare_engine()) != "tensorflow":
        raise UserError(f"This program needs KERAS_BACKEND=tensorflow, but it is '{engine}'.")


def import_tensorflow(purpose: str) -> Any:
    """Imports TensorFlow for something that needs it under every engine.

    Under another engine the GPUs are hidden from TensorFlow, which would reserve their memory.

    Args:
      purpose: Subject of the message, e.g. `A SavedModel`.

    Returns:
      The module `tensorflow`.

    Raises:
      UserError: TensorFlow is not installed.
    """
    if not _is_installed("tensorflow"):
        raise UserError(
            f"{purpose} needs TensorFlow, which is not installed: "
            f"{_HOW_TO_INSTALL['tensorflow']} adds it."
        )
    return _imported_tensorflow()


@functools.cache
def _imported_tensorflow() -> Any:
    with _quiet_stderr():
        import tensorflow as tf

        keras = sys.modules.get("keras")
        if keras is not None and keras.backend.backend() != "tensorflow":
            with contextlib.suppress(RuntimeError):  # TensorFlow has used them already.
                tf.config.set_visible_devices([], "GPU")
    return tf


def _choose() -> tuple[str, str]:
    """The engine, and a sentence for the log where the user has not named it."""
    source, engine = "KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "")
    reason = ""
    if not engine:
        path = _keras_config()
        source, engine = f"The backend in {path}", _backend_in(path)
        if engine == "tensorflow" and not _is_installed("tensorflow"):
            if not _is_installed("jax"):
                raise UserError(
                    "Neither TensorFlow nor JAX is installed: "
                    f"{' or '.join(_HOW_TO_INSTALL.values())} adds an engine."
                )
            return "jax", "TensorFlow is not installed: JAX is the engine."
        if engine != "tensorflow":
            reason = f"{path} makes {ENGINES.get(engine, engine)} the engine."
    if engine not in ENGINES:
        sentence = f"{source} is '{engine}', but the commands need {' or '.join(ENGINES)}."
        raise UserError(with_suggestion(sentence, engine, ENGINES))
    if not _is_installed(engine):
        raise UserError(
            f"{source} is '{engine}', but {ENGINES[engine]} is not installed: "
            f"{_HOW_TO_INSTALL[engine]} adds it."
        )
    return engine, reason


def _keras_config() -> str:
    """The path at which Keras looks for its config file."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return os.path.expanduser(os.path.join(folder, "keras.json"))


def _backend_in(path: str) -> str:
    """The backend in Keras's config file; `tensorflow` if it names none, as for Keras."""
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file).get("backend", "tensorflow"))
    except (OSError, ValueError):
        return "tensorflow"


def _is_installed(module: str) -> bool:
    """Whether a module can be found; it is not imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # Something hides it on purpose.
        return False


def _load_tensorflow() -> None:
    # TensorFlow does not use oneDNN by default on CPUs without AVX-512, though it is twice as fast
    # there.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # One operation may use all cores; another can start while it waits.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(available_cores()))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
    # If a worker is lost, the operations of the others log errors before one sentence says so.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if os.environ.get("TF_CONFIG") else "2")
    with _quiet_stderr(), quick_imports("tensorflow"):
        import tensorflow as tf

        tf.config.list_physical_devices()
    # This pass of TensorFlow's graph optimizer gives up with an error message where a graph
    # contains the gradient of a leaky ReLU, as the training steps of most discriminators do.
    tf.config.optimizer.set_experimental_options({"remapping": False})


class _PrintableFormatter(logging.Formatter):
    """A formatter that escapes characters which would command a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_PrintableFormatter("%(message)s"))
    logger = logging.getLogger("compare_gan")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def _print_any_name() -> None:
    """Lets standard output take names of files that are not UTF-8, as the bytes that they are."""
    with contextlib.suppress(AttributeError):  # A stream of another kind.
        sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Holds back what native code writes to standard error, unless an exception is raised.

    While TensorFlow looks for GPUs it writes several lines that no setting silences; on machines
    without a GPU some of them look like errors.
    """
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
