"""Settings made before TensorFlow is imported, fixtures that clear gin around each test, and the
comparison with numbers of the 2019 library and of peers (`pytest --golden-report` summarizes it).
"""

import importlib.metadata
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Code compiled by XLA runs only once here; without LLVM's optimizations it compiles twice as fast.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
# For the processes of JAX that tests start. Where XLA still has its older code generator for fused
# operations, it compiles with that in half the time; a flag that it does not know would end it.
os.environ["QUICK_XLA_FLAGS"] = (
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
)
if any(
    jaxlib.version.startswith("0.10.") for jaxlib in importlib.metadata.distributions(name="jaxlib")
):
    os.environ["QUICK_XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

import collections
import contextlib
import gc
import logging
import pathlib
import random
import signal
import socket
import sys
import threading
import time
import zlib

import eager
import gin
import numpy as np
import pytest
from forks import Forks

# Tests must not use the machine's cluster, engine or proxy settings.
for _name in list(os.environ):
    if _name in ("KERAS_BACKEND", "TF_CONFIG", "TPU_NAME") or _name.startswith(
        ("COORDINATOR_", "SLURM_", "OMPI_", "NUM_PROCESSES", "PROCESS_ID")
    ):
        del os.environ[_name]
if any(_name.lower().endswith("_proxy") for _name in os.environ):
    for _name in ("no_proxy", "NO_PROXY"):
        _hosts = (os.environ.get(_name), "localhost", "127.0.0.1", "::1")
        os.environ[_name] = ",".join(filter(None, _hosts))

# Tests send these signals. `nohup` and shells without a terminal start processes that ignore them,
# which commands respect, and which the processes of a test would inherit.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_gin_bindings():
    gin.clear_config()
    yield
    gin.clear_config()


@pytest.fixture(autouse=True)
def _no_determinism():
    """Undoes `run_config.deterministic`, which TensorFlow keeps for the rest of the process.

    TensorFlow has no public function for that, because runs cannot be trusted to be deterministic
    afterwards; here it is the next test, in whatever order, that must not depend on the one before.
    """
    yield
    settings = sys.modules.get("tensorflow.python.framework.config")
    if settings is not None and settings.is_op_determinism_enabled():
        settings.disable_op_determinism()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory, request):
    """Files that earlier versions have left in the user's cache change no result."""
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent  # All processes share it.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMPARE_GAN_CACHE", str(folder / "cache"))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Seeds what draws without a seed, such as Keras's initializers, before a test's fixtures."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)


@pytest.fixture(name="reserve_port", scope="session")
def _reserve_port():
    """`reserve_port()`: a port of this machine at which a server may listen.

    A socket that is bound but does not listen holds it, so that the system gives it to no other
    program that asks for any port. Servers that name it get it, as they allow its reuse.
    """
    with contextlib.ExitStack() as stack:

        def reserve() -> int:
            held = stack.enter_context(socket.socket())
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("", 0))
            return held.getsockname()[1]

        yield reserve


_LOOP_SECONDS = 0.025  # On the machine for which tests give times.


@pytest.fixture(name="slowness", scope="session")
def _slowness():
    """`slowness()`: the factor by which this machine, as loaded as it is, is slower; at least 1.

    Times are those of the processor: others that wait for it do not count, but share its caches.
    """

    def measure() -> float:
        start = time.thread_time()
        sum(i * i for i in range(500_000))
        return max(1.0, (time.thread_time() - start) / _LOOP_SECONDS)

    return measure


@pytest.fixture(autouse=True, scope="session")
def _no_curves():
    """Runs write an empty losses.png: drawing it takes longer than a step of a tiny run.

    `compare_gan.plots.plot_curves` still draws, as in the finished run of `training/conftest.py`.
    """
    from compare_gan import files

    def plot_curves(series, path, **options):
        with files.atomic(path) as temporary, open(temporary, "wb"):
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("compare_gan.plots.curves.plot_curves", plot_curves)
        yield


# The slowest files, slowest first; those of `faults` follow. The two processes take one file
# after the other: if a long one came last, one of them would wait for it.
_SLOWEST = (
    "integration/test_example_configs.py",
    "integration/test_every_combination.py",
    "integration/test_losses_and_penalties.py",  # With their slow tests: 20 minutes each.
    "integration/test_tasks_and_augmentations.py",
    "backends/test_backends.py",
    "test_two_replicas.py",
    "integration/test_main_job.py",
    "integration/test_vocabulary.py",
    "engines/test_engines.py",
    "engines/test_microbatches.py",
    "engines/test_runs.py",
    "backends/test_evaluation.py",
    "docs/test_scaling.py",
    "integration/test_two_hosts.py",
    "integration/test_without_tensorflow.py",
    "benchmarks/test_gpu.py",
    "hub/test_importer.py",
    "examples/test_examples.py",
    "docs/test_pages.py",
    "docs/test_extending.py",
    "training/test_precision.py",
    "training/test_xla.py",
    "training/test_dry_run.py",
    "training/test_trainer.py",
    "training/test_modes.py",
    "training/test_modern_parts.py",
    "labels/test_engines.py",
    "labels/test_pretext.py",
    "labels/test_pipeline.py",
    "engine/test_jax_hosts.py",
    "engine/test_jax_checkpoints.py",
    "engine/test_jax_engine.py",
    "test_packaging.py",
    "test_startup.py",
    "integration/test_mistakes.py",
    "benchmarks/test_peers.py",
)


def pytest_collection_modifyitems(items):
    folder = pathlib.Path(__file__).parent
    missing = [name for name in _SLOWEST if not (folder / name).exists()]
    assert not missing, f"_SLOWEST names files that do not exist: {missing}"
    files = [folder / name for name in _SLOWEST] + sorted(folder.glob("faults/test_*.py"))
    ranks = {path: rank for rank, path in enumerate(files)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Reports that a worker can send as UTF-8: tests may log names of files that are not."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


def pytest_collection_finish():
    """Spares the garbage collector the modules, and most of its passes.

    Tracing makes many objects, so that it often looks through all that TensorFlow and the tests
    have loaded: 8 % of the processor time of a single test.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    if "tensorflow" in sys.modules:
        _iterate_without_autotuning(sys.modules["tensorflow"])


def _iterate_without_autotuning(tf):
    """Data sets that tests make are iterated without autotuning, as those of the library are.

    The thread that tunes sleeps for 10 ms, 20 ms, 40 ms and so on, and the end of many iterators
    waits for it: until 10 s, 20 s or 41 s after their beginning, for example.
    """
    iterate = tf.data.Dataset.__iter__

    def iterate_without(dataset):
        options = tf.data.Options()
        options.autotune.enabled = False
        return iterate(dataset.with_options(options))

    tf.data.Dataset.__iter__ = iterate_without


def pytest_addoption(parser):
    parser.addoption(
        "--golden-report",
        action="store_true",
        help="print how closely the numbers of the 2019 library and of peers were met",
    )


@pytest.fixture(scope="session")
def forks():
    """`forks.start(*arguments)` starts `compare_gan` without the time of importing TensorFlow."""
    forks = Forks()
    yield forks
    forks.close()


@pytest.fixture(name="run_command")
def _run_command(capsys, monkeypatch):
    """`run_command(*arguments)` runs a command in this process.

    Returns its exit status, standard output and standard error.
    """
    from compare_gan import main

    # No command says what it waits for, however slow the machine is.
    monkeypatch.setattr("compare_gan.engine.progress.PATIENCE", 3600.0)
    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)

    def run(*arguments):
        status = 0
        try:
            main.main([str(each) for each in arguments])
        except SystemExit as error:
            status = error.code
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    yield run
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(name="eagerly")
def _eagerly():
    """Steps are not compiled: tracing takes longer than a few of them."""
    with eager.eagerly():
        yield


@pytest.fixture
def assert_golden(record_property):
    """`assert_golden(section, key, actual, expected, rtol=1e-5)` compares with a recorded array.

    The relative difference of an array is its largest difference from `expected`, divided by the
    largest entry of `expected` (undivided if that is all zeros): single entries near zero are sums
    that cancel, without significant digits. `section` is the row of the report that counts `key`.
    """

    def check(section, key, actual, expected, rtol=1e-5):
        actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        assert actual.shape == expected.shape, key
        difference = np.abs(actual - expected).max() / (np.abs(expected).max() or 1.0)
        record_property("golden", (section, key, float(difference)))
        assert difference <= rtol, f"{key} differs by {difference:.1e}, allowed {rtol:.0e}"

    return check


@pytest.fixture(scope="session")
def modern_golden():
    """Numbers of modern parts, recorded from their authors' programs, by key."""
    found = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("data/modern_golden*.npz")):
        with np.load(path, allow_pickle=False) as arrays:
            found |= dict(arrays)
    return found


@pytest.fixture(scope="session")
def old_name():
    """`old_name(variable)`: the name of the variable in the 2019 library."""
    return lambda variable: variable.path.replace("/u_var", "/kernel/u_var")


@pytest.fixture(scope="session")
def golden_value():
    """`golden_value(name, shape)`: the recorded value of a variable, by its name of 2019.

    None for moving averages and the like, which keep their initial values.
    """

    def value(name, shape):
        n = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF).normal(size=shape)
        return {
            "bias": 0.1 * n,
            "beta": 0.1 * n,
            "gamma": 1 + 0.1 * n,
            "sigma": np.full_like(n, 0.5),
            "u_var": n,
            "basis": n,  # Of R3GAN, which has no name of 2019.
            "kernel": n / np.sqrt(np.prod(shape[:-1])),
        }.get(name.rsplit("/", 1)[-1])

    return value


@pytest.fixture(scope="session")
def fill_by_name(old_name, golden_value):
    """`fill_by_name(variables)` assigns each variable its recorded value.

    Returns the variables by their names in the 2019 library.
    """

    def fill(variables):
        named = {old_name(v): v for v in variables}
        for name, variable in named.items():
            value = golden_value(name, variable.shape)
            if value is not None:
                variable.assign(value)
        return named

    return fill


def pytest_terminal_summary(terminalreporter, config):
    """One line per section: the number of compared keys and the largest relative difference."""
    if not config.getoption("--golden-report"):
        return
    sections = collections.defaultdict(dict)
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "golden":
                    section, key, difference = value
                    sections[section][key] = max(difference, sections[section].get(key, 0.0))
    terminalreporter.section("numbers of the 2019 library and of peers")
    terminalreporter.line(f"{'section':<32}{'keys':>6}{'largest relative difference':>30}")
    for section, keys in sorted(sections.items()):
        terminalreporter.line(f"{section:<32}{len(keys):>6}{max(keys.values()):>30.1e}")
    total = sum(map(len, sections.values()))
    terminalreporter.line(f"{'all':<32}{total:>6}")


# A run as small as possible: dummy networks on 8 x 8 shapes.
_TINY_RUN = (
    "options.gan_class = @S3GAN",
    "options.architecture = 'dummy_arch'",
    "options.batch_size = 8",
    "options.training_steps = 6",
    "options.disc_iters = 2",
    "options.z_dim = 4",
    "dataset.name = 'synthetic'",
    "dataset.image_size = 8",
    "dataset.labeled_fraction = 0.5",
    "synthetic.num_examples = 40",
    "S3GAN.rotated_batch_fraction = 2",
    "S3GAN.conditional = True",
    "S3GAN.project_y = True",
    "S3GAN.use_predictor = True",
    "S3GAN.g_use_ema = True",
    "S3GAN.ema_decay = 0.5",
    "S3GAN.ema_start_step = 2",
    "G.batch_norm_fn = @batch_norm",
    "D.spectral_norm = True",
    "run_config.tf_random_seed = 3",
    "run_config.iterations_per_loop = 2",
    "run_config.save_checkpoints_steps = 3",
    "evaluation.extractor = 'fashion_cnn'",
    "evaluation.num_fake = 40",
)


@pytest.fixture(name="tiny_run", scope="session")
def _tiny_run():
    return _TINY_RUN


@pytest.fixture(name="simple_steps", scope="session")
def _simple_steps():
    """Bindings for tests in which the kind of GAN plays no part: a step is traced thrice as fast.

    They are added to those of the tiny run.
    """
    return (
        "options.disc_iters = 1",
        "S3GAN.self_supervision = 'none'",
        "S3GAN.use_predictor = False",
    )


@pytest.fixture(name="make_trainer", scope="session")
def _make_trainer():
    """Makes a trainer from a run directory and bindings added to those of the tiny run."""
    from compare_gan import config
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Experiment, Trainer

    def make(model_dir, *bindings) -> Trainer:
        config.parse([], [*_TINY_RUN, *bindings])
        return Trainer(Experiment.from_gin(), RunDir(str(model_dir)))

    return make


@pytest.fixture(name="mirrored", scope="session")
def _mirrored():
    """The strategy of the scripts of `test_two_replicas.py`, one for all tests of a process.

    TensorFlow numbers its collective operations anew for each strategy, and the numbers of two
    strategies in one process clash.
    """
    from compare_gan import engine

    strategy = engine.make_strategy("mirrored")
    assert strategy.num_replicas_in_sync == 2
    return strategy


@pytest.fixture(name="tiny_sampler")
def _tiny_sampler():
    """`tiny_sampler(normalization=None, num_classes=3, **options)`: a `Sampler` of a tiny network.

    Images [n, 8, 8, 1] in (0, 1), brighter for higher classes; latents [n, 4]. The network counts
    its traces.
    """
    import keras
    from keras import ops

    from compare_gan.sampling import Sampler

    class TinyGenerator(keras.Model):
        def __init__(self, normalization):
            super().__init__()
            self.dense = keras.layers.Dense(64)
            self.normalization = normalization
            self.traces = 0

        def call(self, inputs, training=None):
            self.traces += 1
            z, y = inputs
            h = self.dense(z if y is None else ops.concatenate([z, y], axis=1))
            if self.normalization is not None:
                h = self.normalization(h, training=training)
            if y is not None:
                h = h + y @ ops.arange(y.shape[1], dtype="float32")[:, None]
            return ops.reshape(ops.sigmoid(h), (-1, 8, 8, 1))

    def make(normalization=None, num_classes=3, **options):
        keras.utils.set_random_seed(0)
        network = TinyGenerator(normalization)
        y = None if num_classes is None else np.zeros([2, num_classes])
        network((np.zeros([2, 4]), y))
        network.traces = 0
        return Sampler(network, 4, (8, 8, 1), num_classes=num_classes, **options)

    return make
