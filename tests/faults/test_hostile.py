"""Run directories, working directories and names of files that somebody else made.

The docstring of a test is a row of the table in docs/faults.md.
"""

import logging
import os
import pathlib
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from PIL import Image

import compare_gan
from compare_gan import config
from compare_gan import main as command_line
from compare_gan.config import gin_internals
from compare_gan.errors import UserError

_ROOT = pathlib.Path(compare_gan.__file__).parents[1]
_EVIL = "import pathlib\npathlib.Path('executed').touch()\n"


@pytest.fixture(name="run")
def _run(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty working directory; returns exit status, output and errors."""
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = tmp_path / "working"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def run(*args):
        status = 0
        try:
            command_line.main([str(each) for each in args])
        except SystemExit as error:
            status = error.code
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    logger = logging.getLogger("compare_gan")
    before = (logger.handlers, logger.level, logger.propagate)
    yield run
    logger.handlers, logger.level, logger.propagate = before


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory, tiny_run):
    """A trained tiny run."""
    from compare_gan.training import modes
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir

    path = tmp_path_factory.mktemp("run")
    config.parse([], tiny_run)
    modes.run("train", Experiment.from_gin(), RunDir(str(path)), modes.EvaluationPlan())
    return path


@pytest.fixture(name="hostile")
def _hostile(trained):
    """`hostile(line)`: the run directory with a line in front of its config."""
    path = trained / "config.gin"
    text = path.read_text()

    def make(line):
        path.write_text(f"{line}\n{text}")
        return trained

    yield make
    path.write_text(text)


def _is_one_sentence(err):
    return err.startswith("Error: ") and err.count("\n") == 1 and "Traceback" not in err


# Imports.


@pytest.mark.parametrize("command", ("sample", "eval", "export"))
def test_a_run_that_imports_from_the_working_directory(command, run, hostile):
    """Fault: the config of a run directory imports a module that lies in the working directory.

    Command: sample, eval, export
    User sees: 'evil' is not installed; the config of a run directory may not run a module of the
        working directory unless --allow_imports evil names it.
    Exit code: 2
    Lost: nothing; the module is not executed
    """
    pathlib.Path("evil_of_a_test.py").write_text(_EVIL)
    path = hostile("import evil_of_a_test")
    more = ("--out", "model.keras") if command == "export" else ()
    status, _, err = run(command, "--model_dir", path, *more)
    assert (status, os.path.exists("executed")) == (2, False)
    assert _is_one_sentence(err)
    assert "config.gin, line 1: 'evil_of_a_test' is not installed" in err
    assert "--allow_imports evil_of_a_test" in err
    assert "evil_of_a_test" not in sys.modules


def test_a_run_may_import_what_the_user_allows(run, hostile, monkeypatch):
    for name in ("mine_of_a_test", "mine_of_a_test.part", "mine_of_a_test.loss"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    package = pathlib.Path("mine_of_a_test")
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text(_EVIL)
    path = hostile("import mine_of_a_test.part")
    status, out, err = run(
        "sample", "--model_dir", path, "--out", "grid.png", "--allow_imports", "mine_of_a_test"
    )
    assert (status, out, os.path.exists("executed")) == (0, "grid.png\n", True), err
    # The whole name of another module is needed, not its beginning.
    path = hostile("import mine_of_a_test2")
    pathlib.Path("mine_of_a_test2.py").write_text(_EVIL)
    args = ("sample", "--model_dir", path, "--allow_imports", "mine_of_a_test")
    assert run(*args)[0] == 2


def test_a_run_that_imports_by_a_file_that_it_includes(run, hostile):
    """Fault: the config of a run directory includes a gin file that imports a module.

    Command: sample
    User sees: 'evil' is not installed; the config of a run directory may not run a module of …
    Exit code: 2
    Lost: nothing; the module is not executed
    """
    pathlib.Path("more_evil_of_a_test.py").write_text(_EVIL)
    path = hostile("include 'more.gin'")
    (path / "more.gin").write_text("import more_evil_of_a_test\n")
    status, _, err = run("sample", "--model_dir", path)
    assert (status, os.path.exists("executed")) == (2, False)
    assert _is_one_sentence(err) and "'more_evil_of_a_test' is not installed" in err


def test_a_run_that_calls_any_function(run, hostile):
    """Fault: the config of a run directory registers and calls a function such as os.system.

    Command: sample
    User sees: With '__gin__.dynamic_registration' a config can call any function, which that of a
        run directory may not: only --allow_imports __gin__ permits it.
    Exit code: 2
    Lost: nothing; the function is not called
    """
    path = hostile(
        "from __gin__ import dynamic_registration\nimport os\n"
        "os.system.command = 'touch executed'\nloss.fn = @os.system()"
    )
    status, _, err = run("sample", "--model_dir", path)
    assert (status, os.path.exists("executed")) == (2, False)
    assert _is_one_sentence(err) and "can call any function" in err


def test_an_installed_module_of_a_run_finds_nothing_in_the_working_directory(
    tmp_path, monkeypatch, hostile, run
):
    """Fault: an installed module that a run imports tries an optional one, which a stranger made.

    Command: sample
    User sees: the images; the optional module is not found
    Exit code: 0
    Lost: nothing; the stranger's module is not executed
    """
    (tmp_path / "installed_of_a_test.py").write_text(
        "try:\n    import optional_of_a_test\nexcept ImportError:\n    optional_of_a_test = None\n"
    )
    monkeypatch.setattr(sys, "path", [os.getcwd(), "", *sys.path, str(tmp_path)])
    before = list(sys.path)
    pathlib.Path("optional_of_a_test.py").write_text(_EVIL)
    path = hostile("import installed_of_a_test")
    status, _, err = run("sample", "--model_dir", path, "--out", "grid.png")
    assert (status, os.path.exists("executed")) == (0, False), err
    assert sys.modules["installed_of_a_test"].optional_of_a_test is None
    assert sys.path == before


def test_a_module_that_the_program_has_imported_may_be_named(monkeypatch, trained, hostile, run):
    monkeypatch.setitem(sys.modules, "known_of_a_test", sys)
    path = hostile("import known_of_a_test")
    assert compare_gan.load_generator(str(path)).z_dim == 4
    hostile("import unknown_of_a_test")
    with pytest.raises(UserError, match="No module named 'unknown_of_a_test'"):
        compare_gan.load_generator(str(path))
    pathlib.Path("unknown_of_a_test.py").write_text(_EVIL)
    with pytest.raises(UserError, match="'unknown_of_a_test' is not installed"):
        compare_gan.load_generator(str(path))
    sampler = compare_gan.load_generator(str(path), allow_imports=["unknown_of_a_test"])
    assert sampler.z_dim == 4 and os.path.exists("executed")


def test_the_working_directory_comes_last_and_only_for_a_config_that_imports(run, monkeypatch):
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(_ROOT))])
    pathlib.Path("queue.py").write_text("raise SystemExit('taken')\n")
    pathlib.Path("own_of_a_test.py").write_text("import queue\nqueue.Queue\n")
    pathlib.Path("a.gin").write_text("options.z_dim = 3\n")
    config.parse(["a.gin"])
    assert os.getcwd() not in sys.path
    pathlib.Path("a.gin").write_text("import own_of_a_test\n")
    config.parse(["a.gin"])
    assert sys.path[-1] == os.getcwd() and sys.path.count(os.getcwd()) == 1
    assert gin_internals.gin_config.ParseContext.process_import.__module__ == "gin.config"


def test_modules_of_the_working_directory_that_are_called_as_pythons(tmp_path):
    """Fault: the working directory has a queue.py, click.py, numbers.py of something else.

    Command: python -m compare_gan.main configs
    User sees: the list of configs
    Exit code: 0
    Lost: nothing; the files are not executed
    """
    for name in ("queue", "click", "logging", "tempfile", "difflib", "numbers", "tqdm"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n")
    done = subprocess.run(
        [sys.executable, "-m", "compare_gan.main", "configs"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "s3gan_fashion_mnist" in done.stdout
