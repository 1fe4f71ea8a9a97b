"""Imports run downward through the rooms, without circles."""

import ast
import pathlib
from collections.abc import Iterator

import pytest

import compare_gan

_PACKAGE = pathlib.Path(compare_gan.__file__).parent
# From the top down. A module imports from its own room and from those of lower floors; rooms of
# one floor do not know each other.
_FLOORS = (
    ("main",),
    ("commands",),
    ("__init__",),
    ("report",),
    ("studies",),
    ("hub",),
    ("training",),
    ("evaluation",),
    ("sampling",),
    ("labels",),
    ("metrics",),
    ("gans",),
    ("losses", "penalties", "augmentations", "architectures"),
    ("layers",),
    ("datasets",),
    ("engine",),
    ("config",),
    ("plots",),
    ("memory",),
    ("schedules",),
    ("backend",),
    ("parts_index",),
    ("registry",),
    ("startup",),
    ("folders",),
    ("array_cache",),
    ("npz",),
    ("damaged",),
    ("unpacking", "files", "version"),
    ("leftovers", "peers"),
    ("digests", "interruption", "locks", "output", "paths"),
    ("terminal", "errors", "types"),
    ("natural_order", "lazy_names"),
)
_FLOOR_OF = {room: number for number, rooms in enumerate(_FLOORS) for room in rooms}
_FREE_OF_TENSORFLOW = (
    "gans", "losses", "penalties", "augmentations", "architectures", "layers",
)  # fmt: skip
# Modules that import by a computed name: the shortcuts of the whole package, the rooms by kind of
# part (`registry._ROOMS`, the one exception to the order), the families of one room, and the names
# of rooms that are of use without TensorFlow.
_IMPORTERS = {
    "compare_gan",
    "compare_gan.registry",
    "compare_gan.architectures",
    "compare_gan.lazy_names",
}


def _modules():
    return sorted(_PACKAGE.rglob("*.py"))


def _room(module: str) -> str:
    """The room that a name belongs to; `__init__` for the face and its shortcuts."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in _FLOOR_OF else "__init__"


def _name(path: pathlib.Path) -> str:
    parts = ("compare_gan", *path.relative_to(_PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_for_type_checkers(node: ast.AST) -> bool:
    test = ast.unparse(node.test) if isinstance(node, ast.If) else ""
    return test in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _nodes(node: ast.AST, inside_functions: bool) -> Iterator[ast.AST]:
    """All nodes of a tree, without those for type checkers alone."""
    yield node
    if not inside_functions and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    children = node.orelse if _is_for_type_checkers(node) else ast.iter_child_nodes(node)
    for child in children:
        yield from _nodes(child, inside_functions)


def _imports(source: str, inside_functions: bool = True) -> Iterator[str]:
    """Absolute names of everything that a source imports."""
    for node in _nodes(ast.parse(source), inside_functions):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _is_own(name: object) -> bool:
    return isinstance(name, str) and (name.split(".")[0] == "compare_gan" or name.startswith("."))


def _hidden_imports(source: str) -> Iterator[str]:
    """Imports whose target the order of rooms cannot be checked for."""
    for node in _nodes(ast.parse(source), inside_functions=True):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                yield "a relative import"
            for alias in node.names:
                if node.module == "importlib" and alias.name == "import_module" and alias.asname:
                    yield "import_module under another name"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                # It binds the whole package, through which every room can be reached.
                if _is_own(alias.name) and not (alias.asname and "." in alias.name):
                    yield "a bare `import compare_gan`"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).split(".")[-1]
            if called in ("import_module", "__import__"):
                target = node.args[0] if node.args else None
                if not isinstance(target, ast.Constant) or _is_own(target.value):
                    yield f"{called} of an own or a computed name"


def _faults(source: str, module: str) -> list[str]:
    """Imports in the source of a module that break the order of the rooms."""
    own = _room(module)
    found = [] if module in _IMPORTERS else list(_hidden_imports(source))
    for imported in _imports(source):
        if not _is_own(imported) or imported in ("compare_gan", "compare_gan.__version__"):
            continue
        room = _room(imported)
        if room != own and _FLOOR_OF[room] <= _FLOOR_OF[own]:
            found.append(f"{own} imports {imported}")
    return found


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_imports_run_downward(path):
    assert _faults(path.read_text(), _name(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import compare_gan",
        "import compare_gan as package",
        "import compare_gan.errors",
        "import compare_gan.training as training",
        "from compare_gan import training",
        "from compare_gan import errors, training",
        "from compare_gan import load_generator",
        "from compare_gan import score",
        "from compare_gan import *",
        "from compare_gan.training import trainer",
        "from compare_gan.training.trainer import Trainer",
        "from . import errors",
        "from .training import trainer",
        "def f():\n    from compare_gan import training",
        "class A:\n    from compare_gan import training",
        "try:\n    from compare_gan import training\nexcept ImportError:\n    pass",
        "if not TYPE_CHECKING:\n    from compare_gan import training",
        "if TYPE_CHECKING or True:\n    from compare_gan import training",
        "if TYPE_CHECKING:\n    pass\nelse:\n    from compare_gan import training",
        'importlib.import_module("compare_gan.training")',
        'import_module("compare_gan.errors")',
        'import_module(".training", "compare_gan")',
        "importlib.import_module(name)",
        '__import__("compare_gan.training")',
        "from importlib import import_module as load",
    ],
)
def test_upward_and_hidden_imports_are_found(source):
    assert _faults(source, "compare_gan.files")


@pytest.mark.parametrize(
    "source",
    [
        "import os.path",
        "from compare_gan.errors import UserError",
        "from compare_gan import __version__, errors",
        "import compare_gan.errors as errors",
        "if TYPE_CHECKING:\n    from compare_gan import training",
        "if typing.TYPE_CHECKING:\n    from compare_gan.training import Trainer",
        'importlib.import_module("tensorflow_datasets")',
        "from importlib import import_module",
    ],
)
def test_downward_imports_are_allowed(source):
    assert _faults(source, "compare_gan.files") == []


def test_modules_do_not_import_each_other_in_circles():
    """Imports at the top of modules; those inside functions cannot close a circle at import."""
    imports = {}
    names = {_name(path) for path in _modules()} - {"compare_gan"}
    for path in _modules():
        found = (each for each in _imports(path.read_text(), False) if each != _name(path))
        exact = (each if each in names else each.rsplit(".", 1)[0] for each in found)
        imports[_name(path)] = {each for each in exact if each in names}
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for each in imports[module]:
                visit(each, (*above, module))
            done.add(module)

    for module in imports:
        visit(module, ())


def test_every_room_has_its_floor():
    rooms = {path.relative_to(_PACKAGE).parts[0].removesuffix(".py") for path in _modules()}
    assert rooms == set(_FLOOR_OF)


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_parts_import_no_backend(path):
    if _room(_name(path)) in _FREE_OF_TENSORFLOW:
        roots = {imported.split(".")[0] for imported in _imports(path.read_text())}
        assert not roots & {"tensorflow", "jax", "torch"}
