"""Docstrings: every public part has a runnable example, and every example is right."""

import ast
import doctest
import importlib
import inspect
import pathlib

import gin
import pytest

import compare_gan
from compare_gan import registry

_PACKAGE = pathlib.Path(compare_gan.__file__).parent
# Rooms with names for users in `__all__`.
_ROOMS = (
    "augmentations",
    "backend",
    "config",
    "datasets",
    "engine",
    "evaluation",
    "gans",
    "gans.tasks",
    "hub",
    "labels",
    "layers",
    "losses",
    "metrics",
    "metrics.extractors",
    "penalties",
    "plots",
    "report",
    "report.charts",
    "sampling",
    "studies",
    "training",
)
# Public modules without an `__all__`: their public classes and functions count.
_MODULES = ("errors", "files", "memory", "parts_index", "registry", "schedules", "version")


_SLOW = (
    "metrics/classifier_accuracy.py",
    "metrics/gilbo.py",
    "sampling/projection.py",
    "sampling/style_mixing.py",
)
_FILES = [path for path in sorted(_PACKAGE.rglob("*.py")) if ">>> " in path.read_text()]


def _examples(path):
    """The examples of a file, from its source: decorators hide some from `doctest`'s finder.

    Names of the module are not defined in them, so that users can run them as they are.
    """
    parser = doctest.DocTestParser()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text, name = ast.get_docstring(node) or "", getattr(node, "name", path.stem)
            line = node.body[0].lineno if node.body else 0
            yield parser.get_doctest(text, {"__name__": "__main__"}, name, str(path), line)


@pytest.fixture(name="own_parts")
def _own_parts(monkeypatch):
    """Removes parts that an example registers after it; those of the library remain."""
    registry.load_all()
    own = {kind: dict(parts) for kind, parts in registry._components.items()}
    monkeypatch.setattr(registry, "_components", own)


def _file(path):
    """A test parameter; slow where the examples build large networks or train."""
    name = path.relative_to(_PACKAGE).as_posix()
    marks = [pytest.mark.slow] if name in _SLOW or name.startswith("architectures/") else []
    return pytest.param(path, id=name, marks=marks)


@pytest.mark.usefixtures("own_parts")
@pytest.mark.parametrize("path", [_file(each) for each in _FILES])
def test_examples_are_right(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for example in _examples(path):
        gin.clear_config()
        runner.run(example)
    assert runner.summarize(verbose=False).failed == 0


def _names_without_example(module, names):
    for name in names:
        part = inspect.unwrap(getattr(module, name))
        if not (inspect.isclass(part) or inspect.isroutine(part)):
            continue
        is_own = getattr(part, "__module__", "").startswith("compare_gan")
        # Nothing is done with an exception or an interface but to name it.
        is_error = inspect.isclass(part) and issubclass(part, Exception)
        is_interface = getattr(part, "_is_protocol", False)
        if is_own and not is_error and not is_interface and ">>> " not in (part.__doc__ or ""):
            yield name


@pytest.mark.parametrize("room", _ROOMS)
def test_public_parts_have_an_example(room):
    module = importlib.import_module(f"compare_gan.{room}")
    assert list(_names_without_example(module, module.__all__)) == []


@pytest.mark.parametrize("name", _MODULES)
def test_public_parts_of_modules_have_an_example(name):
    module = importlib.import_module(f"compare_gan.{name}")
    own = [
        name
        for name, part in vars(module).items()
        if not name.startswith("_") and getattr(part, "__module__", None) == module.__name__
    ]
    assert list(_names_without_example(module, own)) == []


def test_networks_of_every_architecture_have_an_example():
    missing = [
        f"{family.name}.{name}"
        for family in registry.components("architecture")
        for name in _names_without_example(family.value, ("Generator", "Discriminator"))
    ]
    assert missing == []
