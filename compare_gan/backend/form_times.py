"""How long the forms of a convolution take: measured, and cached for machines like this one."""

import concurrent.futures
import functools
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from compare_gan import damaged, files, locks
from compare_gan.backend.forms import Convolution, Form, forms_of
from compare_gan.backend.other_load import OtherLoad
from compare_gan.errors import UserError
from compare_gan.startup import available_cores, cpu_entry, cpu_name

_log = logging.getLogger(__name__)

# Raised when a form is computed in another way: cached times of others are then not used.
_FORMS_VERSION = 1

_ROUNDS = 3  # Calls of each form, at least.
_SECONDS = 0.3  # No round starts after this many seconds, except the first three.
# Other programs that use more of the cores disturb a measurement. Below this share, the ticks in
# which the system counts are too coarse to tell.
_MAX_OTHER_LOAD = 0.1
# Variables of the environment that change what XLA compiles.
_FLAGS = ("XLA_FLAGS", "TF_XLA_FLAGS")


def measure(
    convolution: Convolution,
    names: Sequence[str],
    timer: Callable[[Callable[[], object]], float] | None = None,
) -> dict[str, float] | None:
    """Times forms of a convolution, each with the gradients of image and kernel.

    The forms are called in turn, so that a short disturbance affects all; the shortest time of each
    counts. May be called while a graph is traced.

    Args:
      convolution: The convolution.
      names: Names of its forms.
      timer: Function that calls a function and returns the seconds that it took; None = `timed`.

    Returns:
      Seconds by name; None if other programs used the cores meanwhile. Forms use several cores to
      different degrees, so that times under such load do not even show which form is the fastest.

    Example:
      >>> from compare_gan.backend.form_times import measure
      >>> from compare_gan.backend.forms import Convolution
      >>> seconds = measure(Convolution((2, 8, 8, 3), (1, 1, 3, 4), 1), ["direct", "matmul"])
      >>> seconds is None or sorted(seconds) == ["direct", "matmul"]
      True
    """
    # The calling thread may be tracing a graph, for a replica, in any scope; a new one is not.
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        return executor.submit(_measure, convolution, names, timer or timed).result()


def _measure(
    convolution: Convolution, names: Sequence[str], timer: Callable[[Callable[[], object]], float]
) -> dict[str, float] | None:
    forms = forms_of(convolution)
    # Drawn without state: the numbers that a run draws do not depend on whether it measures.
    image, kernel, upstream = (
        tf.random.stateless_uniform(shape, [0, i], -1.0, 1.0)
        for i, shape in enumerate((convolution.image, convolution.kernel, convolution.result))
    )
    calls = {
        name: functools.partial(_with_gradients(forms[name]), image, kernel, upstream)
        for name in names
    }
    for call in calls.values():
        call()  # Traces and compiles.
    load = OtherLoad()
    best = dict.fromkeys(calls, math.inf)
    rounds, spent = 0, 0.0
    while rounds < _ROUNDS or spent < _SECONDS:
        for name, call in calls.items():
            seconds = timer(call)
            best[name] = min(best[name], seconds)
            spent += seconds
        rounds += 1
    return best if load.share() <= _MAX_OTHER_LOAD else None


def timed(call: Callable[[], object]) -> float:
    """Calls a function and returns the seconds that it took."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _with_gradients(form: Form) -> Callable[..., np.ndarray]:
    """A compiled function that computes a form and its gradients, and waits for all of them."""

    @tf.function(autograph=False)
    def compute(image: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            tape.watch([image, kernel])
            result = form(image, kernel)
        gradients = tape.gradient(result, [image, kernel], upstream)
        return tf.stack([each[0, 0, 0, 0] for each in (result, *gradients)])

    return lambda *tensors: compute(*tensors).numpy()


class FormTimes:
    """Measured times of convolutions on machines like this one, in a file of the user's cache.

    Several processes may use the file at once. A damaged file is replaced.

    Args:
      path: The file; None = `convolution_times.json` in `files.cache_dir()`.
      machine: Everything besides the shapes that times depend on; None = `this_machine()`.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.backend.form_times import FormTimes
      >>> from compare_gan.backend.forms import Convolution
      >>> convolution = Convolution((64, 8, 8, 3), (3, 3, 3, 16), strides=1)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     times = FormTimes(os.path.join(folder, "times.json"))
      ...     times.add(convolution, {"direct": 0.5, "winograd": 0.25})
      ...     times.of(convolution, ["direct", "winograd"])
      {'direct': 0.5, 'winograd': 0.25}
    """

    def __init__(self, path: str | None = None, machine: str | None = None):
        self._path = path or os.path.join(files.cache_dir(), "convolution_times.json")
        self._machine = this_machine() if machine is None else machine

    def of(self, convolution: Convolution, names: Sequence[str]) -> dict[str, float] | None:
        """The cached seconds of forms by name; None unless there are those of all.

        Args:
          convolution: The convolution.
          names: Names of its forms.
        """
        try:
            seconds = self._read().get(self._machine, {}).get(str(convolution), {})
            return {name: float(seconds[name]) for name in names}
        except damaged.DamagedFileError as error:
            damaged.warn_once(f"{error} Convolutions are measured anew.")
        except (OSError, *damaged.FORM_ERRORS):  # It is unreadable, or lacks some of the forms.
            pass
        return None

    def add(self, convolution: Convolution, seconds: Mapping[str, float]) -> None:
        """Adds measured times; without a place to write to, they are not cached.

        Args:
          convolution: The convolution.
          seconds: Seconds of its forms by name.
        """
        try:
            with locks.locked(f"{self._path}.lock"):  # Others may be adding theirs.
                try:
                    machines = self._read()
                except damaged.DamagedFileError:
                    machines = {}
                own = machines.get(self._machine)
                own = dict(own) if isinstance(own, dict) else {}
                own[str(convolution)] = {name: float(f"{s:.4g}") for name, s in seconds.items()}
                files.write_json(self._path, machines | {self._machine: own})
        except (OSError, UserError) as error:
            _log.warning("The times of convolutions cannot be cached: %s", error)

    def _read(self) -> dict[str, dict[str, dict[str, float]]]:
        try:
            return damaged.read_object(self._path)
        except FileNotFoundError:
            return {}


def this_machine() -> str:
    """The processor and the versions that times of convolutions depend on, in words.

    Example:
      >>> from compare_gan.backend.form_times import this_machine
      >>> this_machine()  # doctest: +SKIP
      'AMD EPYC 9R14 (6f1c0d2a), 2 threads, oneDNN 1, TensorFlow 2.21.0, forms 1'
    """
    one_dnn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "by default")
    flags = (f"{name} {value}" for name in _FLAGS if (value := os.environ.get(name)))
    return ", ".join(
        (
            f"{cpu_name()} ({_cpu_digest()})",
            f"{num_threads()} threads",
            f"oneDNN {one_dnn}",
            f"TensorFlow {tf.__version__}",
            *flags,
            f"forms {_FORMS_VERSION}",
        )
    )


def num_threads() -> int:
    """The number of threads in which TensorFlow computes one operation.

    Example:
      >>> from compare_gan.backend.form_times import num_threads
      >>> num_threads() >= 1
      True
    """
    in_program = tf.config.threading.get_intra_op_parallelism_threads()  # 0: not set there.
    in_environment = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    return in_program or int(in_environment.isdecimal() and in_environment) or available_cores()


def _cpu_digest() -> str:
    """Distinguishes processors of the same name, as virtual machines show them."""
    known = ("cpu family", "model", "flags", "Features", "CPU part", "cache size")
    return files.digest(str([cpu_entry(name) for name in known]))[:8]
