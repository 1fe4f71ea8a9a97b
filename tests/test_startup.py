"""The engine of a command, and what the command line sets before it is imported."""

import gc
import json
import logging
import os
import subprocess
import sys

import keras
import keras.src.utils
import pytest

from compare_gan import startup
from compare_gan.commands import start
from compare_gan.errors import UserError

_SCRIPT = """
import os
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, list(os.sched_getaffinity(0))[:1])
from compare_gan.startup import prepare_tensorflow
prepare_tensorflow()
names = ("TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
print(*(os.environ[name] for name in names))
"""
# Each takes a tenth of a second to more than a second, and no training needs it before its end.
_LATER = ("jax", "matplotlib", "scipy.optimize", "scipy.stats", "sklearn")
_START_OF_TRAINING = f"""
import sys
from compare_gan.commands import start
start.start_engine()
from compare_gan.training import modes
print([name for name in {_LATER} if name in sys.modules])
import sklearn.base, keras, gc
print(sklearn.__name__, gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
_SHAPES_OF_FIT = """
from compare_gan.commands import start
start.start_engine()
import keras, pandas

class Shown(keras.Model):
    def train_step(self, data):
        print([part.shape[1:] for part in data])
        return {"loss": keras.ops.sum(data[0])}

model = Shown()
model.compile(run_eagerly=True)
model.fit(pandas.DataFrame({"a": [1.0], "b": [2.0]}), pandas.Series([3.0]), verbose=0)
"""
_FORGET = """
import os
for name in [name for name in os.environ if name.startswith("TF_")]:
    del os.environ[name]
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_one_dnn_is_on_and_threads_are_as_many_as_cores_unless_the_user_says_otherwise(
    forks,
):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    run = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=kept, capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["1", "1", "2"]
    own = f"{_FORGET}os.environ |= {{'TF_ENABLE_ONEDNN_OPTS': '0', 'TF_NUM_INTRAOP_THREADS': '7'}}"
    with forks.start(code=f"{own}\n{_SCRIPT}") as fork:
        out, err = fork.communicate(timeout=1200)
    assert out.split() == ["0", "7", "2"], err


def test_a_training_imports_at_its_start_nothing_that_it_does_not_need():
    run = subprocess.run(
        [sys.executable, "-c", _START_OF_TRAINING], capture_output=True, text=True, check=True
    )
    # What was left out is there afterwards; the collector does not look at the imported objects.
    assert run.stdout.split("\n")[:2] == ["[]", "sklearn True True"]


def test_data_frames_have_the_shapes_in_commands_that_keras_gives_them_elsewhere():
    run = subprocess.run(
        [sys.executable, "-c", _SHAPES_OF_FIT], capture_output=True, text=True, check=True
    )
    assert run.stdout.split("\n")[0] == "[TensorShape([2]), TensorShape([1])]"


def test_quick_imports_leave_out_what_is_not_imported_already(monkeypatch):
    monkeypatch.setattr(startup, "_UNUSED", ("colorsys", "json", "this"))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    monkeypatch.delitem(sys.modules, "keras")
    with pytest.raises(KeyError), startup.quick_imports("this"):
        assert not gc.isenabled()
        assert __import__("json") is json
        with pytest.raises(ImportError):
            __import__("colorsys")
        assert "this" not in sys.modules  # It may be imported: it is the engine.
        raise KeyError
    assert gc.isenabled()
    assert __import__("colorsys").rgb_to_hsv(1, 1, 1) == (0, 0, 1)


def test_quick_imports_do_nothing_once_keras_is_imported(monkeypatch):
    monkeypatch.setattr(startup, "_UNUSED", ("colorsys",))
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with startup.quick_imports("tensorflow"):
        assert gc.isenabled()
        __import__("colorsys")


def test_only_a_new_process_freezes_its_imports(monkeypatch):
    # Garbage of this process would stay for ever.
    monkeypatch.setattr(gc, "freeze", lambda: pytest.fail("Nothing was imported."))
    monkeypatch.setattr(start, "prepare_engine", lambda: "tensorflow")
    start.start_engine()


@pytest.fixture(name="choose")
def _choose(monkeypatch, tmp_path, capsys):
    """Prepares the engine of a process in which neither Keras nor TensorFlow has been imported.

    Returns the engine and the log.
    """

    def choose(variable, file, installed):
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.setenv("KERAS_BACKEND", variable)
        if file is not None:
            (tmp_path / "keras.json").write_text(json.dumps({"backend": file}))
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setattr(startup, "_is_installed", lambda module: module in installed)
        monkeypatch.setattr(startup, "_load_tensorflow", lambda: print("loads TensorFlow"))
        engine = startup.prepare_engine()
        out, log = capsys.readouterr()
        assert os.environ["KERAS_BACKEND"] == engine
        assert out == ("loads TensorFlow\n" if engine == "tensorflow" else "")
        return engine, log.replace(str(tmp_path), "HOME").strip()

    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)
    yield choose
    logger.handlers, logger.level, logger.propagate = before


_BOTH = ("tensorflow", "jax")


@pytest.mark.parametrize(
    ("variable", "file", "installed", "engine", "log"),
    (
        ("", None, _BOTH, "tensorflow", ""),
        ("", "tensorflow", _BOTH, "tensorflow", ""),
        ("", "jax", _BOTH, "jax", "HOME/keras.json makes JAX the engine."),
        ("jax", "tensorflow", _BOTH, "jax", ""),
        ("tensorflow", "jax", _BOTH, "tensorflow", ""),
        ("tensorflow", "torch", _BOTH, "tensorflow", ""),
        ("jax", "torch", ("jax",), "jax", ""),
        # Keras has written this file by itself.
        ("", "tensorflow", ("jax",), "jax", "TensorFlow is not installed: JAX is the engine."),
        ("", None, ("jax",), "jax", "TensorFlow is not installed: JAX is the engine."),
    ),
)
def test_the_engine_is_chosen_where_keras_looks(choose, variable, file, installed, engine, log):
    assert choose(variable, file, installed) == (engine, log)


@pytest.mark.parametrize(
    ("variable", "file", "installed", "message"),
    (
        ("jaxx", None, _BOTH,
         "KERAS_BACKEND is 'jaxx', but the commands need tensorflow or jax. Did you mean 'jax'?"),
        ("torch", None, (*_BOTH, "torch"),
         "KERAS_BACKEND is 'torch', but the commands need tensorflow or jax."),
        ("", "torch", (*_BOTH, "torch"),
         r"The backend in .*keras\.json is 'torch', but the commands need tensorflow or jax."),
        ("jax", None, ("tensorflow",),
         "KERAS_BACKEND is 'jax', but JAX is not installed: `pip install"),
        ("tensorflow", None, ("jax",),
         "KERAS_BACKEND is 'tensorflow', but TensorFlow is not installed: `pip install"),
        ("", None, (), "Neither TensorFlow nor JAX is installed: `pip install"),
    ),
)  # fmt: skip
def test_an_engine_that_cannot_be_is_refused(choose, variable, file, installed, message):
    with pytest.raises(UserError, match=message) as error:
        choose(variable, file, installed)
    assert "\n" not in str(error.value)


def test_a_damaged_config_file_of_keras_counts_for_nothing(choose, tmp_path):
    (tmp_path / "keras.json").write_text("{")
    assert choose("", None, _BOTH) == ("tensorflow", "")


def test_keras_cannot_change_its_backend(monkeypatch):
    assert keras.backend.backend() == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setattr(startup, "_is_installed", lambda module: True)
    message = "'jax', but Keras has been imported with the backend 'tensorflow' already"
    with pytest.raises(UserError, match=message):
        startup.prepare_engine()


def test_programs_for_tensorflow_refuse_another_engine(monkeypatch):
    monkeypatch.setattr(startup, "prepare_engine", lambda: "jax")
    with pytest.raises(UserError, match="needs KERAS_BACKEND=tensorflow, but it is 'jax'"):
        startup.prepare_tensorflow()


def test_what_needs_tensorflow_says_so(monkeypatch):
    assert startup.import_tensorflow("This test") is sys.modules["tensorflow"]
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(UserError, match=r"^A SavedModel needs TensorFlow, which is not "):
        startup.import_tensorflow("A SavedModel")


def test_commands_start_where_keras_has_other_private_names(monkeypatch):
    monkeypatch.setattr(start, "prepare_engine", lambda: "jax")
    monkeypatch.setattr(keras.src.utils, "module_utils", object())
    start.start_engine()
    monkeypatch.delattr(keras.src.utils, "module_utils")
    monkeypatch.setitem(sys.modules, "keras.src.utils.module_utils", None)
    start.start_engine()


@pytest.mark.parametrize(
    ("flags", "expected"),
    (
        ("fpu avx512_vnni avx512_bf16 sse", True),
        ("amx_tile amx_bf16", True),
        ("fp asimd bf16", True),
        ("fpu avx512f avx512_vnni", False),
        ("", False),
    ),
)
def test_instructions_for_bfloat16_are_known_by_their_flags(monkeypatch, flags, expected):
    field = "Features" if "asimd" in flags else "flags"
    monkeypatch.setattr(startup, "cpu_entry", lambda name: flags if name == field else "")
    assert startup.has_bfloat16() is expected
