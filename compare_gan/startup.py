"""Settings of the command line that have to precede the import of TensorFlow."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

from compare_gan.errors import UserError


def available_cores() -> int:
    """The number of cores that this process may use, which can be below that of the machine."""
    if hasattr(os, "sched_getaffinity"):  # Not on macOS.
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_tensorflow() -> None:
    """Applies the command line's settings where the user has made none; imports TensorFlow.

    Raises:
      UserError: Keras is set to another backend.
    """
    # TensorFlow does not use oneDNN by default on CPUs without AVX-512, though it is twice as fast
    # there.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # One operation may use all cores; another can start while it waits.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(available_cores()))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "2")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if os.environ["KERAS_BACKEND"] != "tensorflow":
        raise UserError(
            f"The command line needs KERAS_BACKEND=tensorflow, it is "
            f"'{os.environ['KERAS_BACKEND']}'."
        )
    sys.path.insert(0, os.getcwd())  # So that `import my_parts` in a gin file finds them.
    with _quiet_stderr():
        import tensorflow as tf

        tf.config.list_physical_devices()
    # This pass of TensorFlow's graph optimizer gives up with an error message where a graph
    # contains the gradient of a leaky ReLU, as the training steps of most discriminators do.
    tf.config.optimizer.set_experimental_options({"remapping": False})
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger("compare_gan")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


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
