"""Modules of one's own that a run needs: elsewhere, and after they have changed.

The docstring of a test is a row of the table in docs/faults.md.
"""

import json
import os
import pathlib
import shutil
import sys

import eager
import gin
import pytest

import compare_gan
from compare_gan import config, registry
from compare_gan.errors import UserError

_NAMES = ("own_of_a_test", "helper_of_a_test", "late_of_a_test", "lab_of_a_test")
_OWN = """
import pathlib
import helper_of_a_test
from lab_of_a_test import rates
from compare_gan import registry

pathlib.Path("executed").write_text(__file__)

@registry.register("loss", "own_loss_of_a_test")
def own_loss_of_a_test(real, fake):
    import late_of_a_test
    real, fake = helper_of_a_test.scaled(real, rates.RATE), helper_of_a_test.scaled(fake, 1.0)
    return late_of_a_test.hinge(real, fake)
"""
_HELPER = "def scaled(x, rate):\n    return x * rate\n"
_LATE = "from compare_gan.losses import hinge\n"
_BINDINGS = (
    "import own_of_a_test",
    "loss.fn = @own_loss_of_a_test",
    "options.gan_class = @ModularGAN",
    "options.disc_iters = 1",
)


def _write_modules(folder, rate=1.0):
    package = folder / "lab_of_a_test"
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("")
    (package / "rates.py").write_text(f"RATE = {rate}\n")
    (folder / "own_of_a_test.py").write_text(_OWN)
    (folder / "helper_of_a_test.py").write_text(_HELPER)
    (folder / "late_of_a_test.py").write_text(_LATE)


def _forget_modules():
    """As in a new process, no module of the tests has been imported."""
    for name in list(sys.modules):
        if name.split(".")[0] in _NAMES:
            del sys.modules[name]
    registry._components["loss"].pop("own_loss_of_a_test", None)


def _train(folder, run, tiny_run, *bindings):
    """Trains in a process, as it were, that was started in the folder with the modules."""
    from compare_gan.training import modes
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir

    _forget_modules()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", list(sys.path))
        patch.chdir(folder)
        gin.enter_interactive_mode()  # Parts may be registered anew.
        try:
            config.parse([], [*tiny_run, *_BINDINGS, *bindings])
            with eager.eagerly():
                modes.run("train", Experiment.from_gin(), RunDir(str(run)), modes.EvaluationPlan())
        finally:
            gin.exit_interactive_mode()
            gin.clear_config()
    _forget_modules()


@pytest.fixture(name="trained", scope="module")
def _trained(tmp_path_factory, tiny_run):
    """A run whose loss is in a module of the working directory of then."""
    path = tmp_path_factory.mktemp("training")
    _write_modules(path)
    _train(path, path / "run", tiny_run)
    yield path / "run"
    _forget_modules()


@pytest.fixture(name="elsewhere", autouse=True)
def _elsewhere(monkeypatch, tmp_path):
    """An empty working directory, in a process that has imported none of the modules."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    gin.enter_interactive_mode()
    _forget_modules()
    yield folder
    gin.exit_interactive_mode()
    _forget_modules()


@pytest.fixture(name="run")
def _run(run_command):
    return run_command


@pytest.fixture(name="copied")
def _copied(trained, tmp_path):
    """A copy of the run, which a test may change."""
    return pathlib.Path(shutil.copytree(trained, tmp_path / "run"))


def _is_one_sentence(err):
    return err.startswith("Error: ") and err.count("\n") == 1 and "Traceback" not in err


def test_a_run_has_copies_of_the_modules_that_it_needs(trained):
    listed = json.loads((trained / "modules/0/digests.json").read_text())
    assert sorted(listed["files"]) == [
        "helper_of_a_test.py",
        "lab_of_a_test/__init__.py",
        "lab_of_a_test/rates.py",
        "late_of_a_test.py",
        "own_of_a_test.py",
    ]
    assert (listed["version"], listed["number"], listed["not_copied"]) == (1, 1, {})
    assert (trained / "modules/0/own_of_a_test.py").read_text() == _OWN
    assert os.listdir(trained / "modules") == ["0"]


@pytest.mark.parametrize("command", ("sample", "eval", "export"))
def test_a_run_with_a_module_that_is_not_here(command, run, trained):
    """Fault: the run was trained with a module of one's own, which does not exist here.

    Command: sample, eval, export
    User sees: 'my_parts' is not installed; a copy of it lies in 'runs/a/modules/0', which
        --allow_imports runs/a/modules/0 runs: read it first, if the run is not your own.
    Exit code: 2
    Lost: nothing; the copy is not executed without the option
    """
    more = ("--out", "model.keras") if command == "export" else ()
    status, _, err = run(command, "--model_dir", trained, *more)
    folder = f"{trained}/modules/0"
    assert status == 2 and _is_one_sentence(err), err
    assert f"'own_of_a_test' is not installed; a copy of it lies in '{folder}', which " in err
    assert f"--allow_imports {folder} runs" in err
    assert not os.path.exists("executed") and "own_of_a_test" not in sys.modules


@pytest.mark.parametrize("command", ("sample", "eval", "export"))
def test_a_run_from_its_copies(command, run, trained):
    """Fault: as above; the user allows the copy.

    Command: sample --allow_imports runs/a/modules/0; eval, export likewise
    User sees: the images
    Exit code: 0
    Lost: nothing; no compiled file is read or left beside the copies
    """
    more = {
        "sample": ("--out", "grid.png"),
        "export": ("--out", "model.keras"),
        "eval": (
            "--num_eval_averaging_runs",
            "1",
            "--gin_bindings",
            "evaluation.metrics = ['vendi']",
        ),
    }[command]
    if command == "eval":
        trained = shutil.copytree(trained, "run")
    folder = f"{trained}/modules/0"
    status, _, err = run(command, "--model_dir", trained, *more, "--allow_imports", folder)
    assert status == 0, err
    assert pathlib.Path("executed").read_text() == os.path.abspath(f"{folder}/own_of_a_test.py")
    assert "version of its modules" not in err
    assert not list(pathlib.Path(folder).rglob("*.pyc"))


def test_a_module_of_the_working_directory_and_a_copy(run, trained, elsewhere):
    """Fault: the module exists in the working directory, too; which one is to run?

    Command: sample
    User sees: 'my_parts' is not installed; --allow_imports my_parts runs the module of the working
        directory, --allow_imports runs/a/modules/0 the copy from the training.
    Exit code: 2
    Lost: nothing; neither is executed
    """
    _write_modules(elsewhere, rate=2.0)
    args = ("sample", "--model_dir", trained, "--out", "grid.png")
    status, _, err = run(*args)
    assert status == 2 and _is_one_sentence(err), err
    assert "--allow_imports own_of_a_test runs the module of the working directory" in err
    assert f"--allow_imports {trained}/modules/0 the copy" in err
    assert not os.path.exists("executed")
    status, _, err = run(*args, "--allow_imports", f"{trained}/modules/0")
    assert status == 0, err
    assert pathlib.Path("executed").read_text() == f"{trained}/modules/0/own_of_a_test.py"
    assert sys.modules["lab_of_a_test.rates"].RATE == 1.0


def test_a_module_that_has_changed_since_the_training(run, trained, elsewhere):
    """Fault: the module that is found here is not that of the training any more.

    Command: sample --allow_imports my_parts
    User sees: The run was trained with another version of its modules (my_parts.py);
        --allow_imports runs/a/modules/0 runs that version.
    Exit code: 0
    Lost: nothing
    """
    _write_modules(elsewhere, rate=2.0)
    status, _, err = run(
        "sample", "--model_dir", trained, "--out", "grid.png", "--allow_imports", "own_of_a_test"
    )
    assert status == 0 and pathlib.Path("executed").read_text().startswith(str(elsewhere)), err
    assert "with another version of its modules (lab_of_a_test/rates.py); --allow_imports" in err
    assert f"{trained}/modules/0 runs that version." in err


def test_a_helper_that_is_not_here(run, trained, elsewhere):
    """Fault: the module is here, but another one that it imports is not.

    Command: sample --allow_imports my_parts
    User sees: 'my_helpers' is not installed; a copy of it lies in 'runs/a/modules/0', which …
    Exit code: 2
    Lost: nothing
    """
    (elsewhere / "own_of_a_test.py").write_text(_OWN)
    status, _, err = run("sample", "--model_dir", trained, "--allow_imports", "own_of_a_test")
    assert status == 2 and _is_one_sentence(err), err
    assert "'helper_of_a_test' is not installed; a copy of it lies in" in err


def test_a_copy_that_is_not_the_one_of_the_list(run, copied):
    """Fault: a copy of a module was damaged or edited, or compiled code lies beside it.

    Command: sample --allow_imports runs/a/modules/0
    User sees: 'runs/a/modules/0/my_parts.py' is damaged: it is not the file that was copied.
    Exit code: 2
    Lost: nothing; neither is executed
    """
    folder = copied / "modules" / "0"
    (folder / "lab_of_a_test" / "evil.py").write_text("open('evil', 'w')")
    (folder / "own_of_a_test.cpython-310-x86_64-linux-gnu.so").write_bytes(b"no program")
    args = ("sample", "--model_dir", copied, "--out", "grid.png", "--allow_imports", folder)
    status, _, err = run(*args)
    assert status == 0, err
    with pytest.raises(ModuleNotFoundError, match=r"'lab_of_a_test\.evil'"):
        __import__("lab_of_a_test.evil")
    os.remove("executed")
    _forget_modules()
    with open(folder / "own_of_a_test.py", "a") as file:
        file.write("open('evil', 'w')\n")
    status, _, err = run(*args)
    assert status == 2 and _is_one_sentence(err), err
    assert "own_of_a_test.py' is damaged: it is not the file that was copied" in err
    os.remove(folder / "own_of_a_test.py")
    status, _, err = run(*args)
    assert status == 2 and _is_one_sentence(err), err
    assert "own_of_a_test.py' is damaged: No such file or directory" in err
    assert not os.path.exists("executed") and not os.path.exists("evil")


@pytest.mark.parametrize("content", ("", "[]", '{"version": 1}', '{"version": 1, "files": 3}'))
def test_a_list_of_copies_that_is_damaged(run, copied, content):
    """Fault: the list of the copies is damaged, or the option names another folder.

    Command: sample --allow_imports runs/a/modules/0
    User sees: 'runs/a/modules/0/digests.json' is damaged: it is empty.
    Exit code: 2
    Lost: nothing; nothing is executed
    """
    (copied / "modules" / "0" / "digests.json").write_text(content)
    args = ("sample", "--model_dir", copied, "--allow_imports")
    status, _, err = run(*args, copied / "modules" / "0")
    assert status == 2 and "modules/0/digests.json' is damaged: " in err.splitlines()[-1]
    status, _, err = run(*args, copied / "modules")
    assert status == 2 and "modules' holds no copies of modules: --allow_imports takes" in err
    status, _, err = run(*args[:-1])
    assert status == 2 and "No module named 'own_of_a_test'" in err.splitlines()[-1]
    assert not os.path.exists("executed")


def test_a_process_that_has_imported_another_version(copied, elsewhere):
    """Fault: the program has imported another version of the module before.

    Command: `compare_gan.load_generator(run, allow_imports=["runs/a/modules/0"])`
    User sees: 'my_parts' has been imported from 'my_parts.py' already, so this process cannot run
        the copy in 'runs/a/modules/0', which differs.
    Exit code: none
    Lost: nothing
    """
    _write_modules(elsewhere)
    (elsewhere / "own_of_a_test.py").write_text(f"{_OWN}\n# Another version.\n")
    sys.path.append(str(elsewhere))
    __import__("own_of_a_test")
    copies = str(copied / "modules" / "0")
    with pytest.raises(UserError, match=r"own_of_a_test' has been imported from .* which differs"):
        compare_gan.load_generator(str(copied), allow_imports=[copies])
    assert compare_gan.load_generator(str(copied), allow_imports=["own_of_a_test"]).z_dim == 4


def test_a_process_that_has_imported_another_version_of_a_helper(copied, elsewhere):
    """Fault: the program has imported another version of a module that the run's module imports.

    Command: `compare_gan.load_generator(run, allow_imports=["runs/a/modules/0"])`
    User sees: 'my_helpers' has been imported from 'my_helpers.py' already, so this process cannot
        run the copy in 'runs/a/modules/0', which differs.
    Exit code: none
    Lost: nothing
    """
    (elsewhere / "helper_of_a_test.py").write_text(f"{_HELPER}\n# Another version.\n")
    sys.path.append(str(elsewhere))
    __import__("helper_of_a_test")
    copies = str(copied / "modules" / "0")
    with pytest.raises(UserError, match=r"helper_of_a_test' has been imported from .* differs"):
        compare_gan.load_generator(str(copied), allow_imports=[copies])


def test_modules_that_change_between_two_starts_of_a_run(
    run, copied, tiny_run, tmp_path, elsewhere, caplog
):
    """Fault: the module was changed before the run went on.

    Command: train (resumed), then sample of either checkpoint
    User sees: Copies of the modules of this run (my_parts.py) are in 'modules/500'.
    Exit code: 0
    Lost: nothing; both versions are there, and messages name that of the checkpoint
    """
    changed = tmp_path / "changed"
    changed.mkdir()
    _write_modules(changed)
    more = ("options.training_steps = 7", "run_config.keep_checkpoint_max = 9")
    with caplog.at_level("INFO", logger="compare_gan"):
        _train(changed, copied, tiny_run, *more)
        assert os.listdir(copied / "modules") == ["0"]
        assert "Copies of the modules" not in caplog.text
        _write_modules(changed, rate=0.5)
        more = ("options.training_steps = 9", *more[1:])
        _train(changed, copied, tiny_run, *more)
    assert "this run (lab_of_a_test/rates.py) are in 'modules/7'" in caplog.text
    assert sorted(os.listdir(copied / "modules")) == ["0", "7"]
    assert (copied / "modules/7/lab_of_a_test/rates.py").read_text() == "RATE = 0.5\n"
    assert (copied / "modules/0/lab_of_a_test/rates.py").read_text() == "RATE = 1.0\n"
    args = ("sample", "--model_dir", copied)
    assert f"--allow_imports {copied}/modules/7 runs" in run(*args)[2]
    assert f"--allow_imports {copied}/modules/0 runs" in run(*args, "--checkpoint", 6)[2]


def test_a_compiled_module_is_named_and_not_copied(run, trained, copied, elsewhere, caplog):
    """Fault: the run needs a compiled extension of one's own, which does not exist here.

    Command: sample
    User sees: 'my_ops' is not installed, and the run holds no copy of it, because it is a compiled
        extension. Training has said so in its log.
    Exit code: 2
    Lost: nothing
    """
    from compare_gan.config.module_sources import ModuleSources, find_sources
    from compare_gan.training.module_history import ModuleHistory

    suffix = __import__("importlib.machinery").machinery.EXTENSION_SUFFIXES[0]
    (elsewhere / f"late_of_a_test{suffix}").write_bytes(b"")
    (elsewhere / "own_of_a_test.py").write_text("import late_of_a_test\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path, str(elsewhere)])
        sources = find_sources("import own_of_a_test")
    assert sources == ModuleSources(
        {"own_of_a_test.py": b"import late_of_a_test\n"}, {"late_of_a_test": "a compiled extension"}
    )
    ModuleHistory(str(copied)).record(sources, step=3)
    assert "'late_of_a_test' is a compiled extension, which is not copied" in caplog.text
    os.remove(f"late_of_a_test{suffix}")
    os.remove("own_of_a_test.py")
    args = ("sample", "--model_dir", copied, "--allow_imports", f"{copied}/modules/3")
    status, _, err = run(*args)
    assert status == 2 and _is_one_sentence(err), err
    assert "'late_of_a_test' is not installed, and the run holds no copy of it, because" in err
