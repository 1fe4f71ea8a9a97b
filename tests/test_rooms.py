"""Imports run downward through the rooms, without circles."""

import ast
import pathlib

import pytest

import compare_gan

_PACKAGE = pathlib.Path(compare_gan.__file__).parent
# From the top down. A module imports from its own room and from those of lower floors; rooms of
# one floor do not know each other.
_FLOORS = (
    ("main",),
    ("commands",),
    ("__init__",),
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
    ("files", "version"),
    ("locks",),
    ("errors", "types"),
)
_FLOOR_OF = {room: number for number, rooms in enumerate(_FLOORS) for room in rooms}
_FREE_OF_TENSORFLOW = (
    "gans", "losses", "penalties", "augmentations", "architectures", "layers",
)  # fmt: skip


def _modules():
    return sorted(_PACKAGE.rglob("*.py"))


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def _name(path: pathlib.Path) -> str:
    parts = ("compare_gan", *path.relative_to(_PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def _imports(path: pathlib.Path, nodes=ast.walk):
    """What a file imports, anywhere in it but for type checkers alone.

    Args:
      path: The file.
      nodes: From the tree of the file to the nodes to look at.
    """
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_imports_run_downward(path):
    own = _room(_name(path))
    for imported in _imports(path):
        if not imported.startswith("compare_gan"):
            continue
        room = _room(imported)
        if room.startswith("__") or room not in _FLOOR_OF:  # `compare_gan.__version__`
            continue
        assert room == own or _FLOOR_OF[room] > _FLOOR_OF[own], f"{own} imports {imported}"


def test_modules_do_not_import_each_other_in_circles():
    """Imports at the top of modules; those inside functions cannot close a circle at import."""
    imports = {}
    names = {_name(path) for path in _modules()}
    for path in _modules():
        found = (each for each in _imports(path, ast.iter_child_nodes) if each != _name(path))
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
    rooms = {_room(_name(path)) for path in _modules()}
    assert rooms <= set(_FLOOR_OF)


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_parts_import_no_backend(path):
    if _room(_name(path)) in _FREE_OF_TENSORFLOW:
        roots = {imported.split(".")[0] for imported in _imports(path)}
        assert not roots & {"tensorflow", "jax", "torch"}
