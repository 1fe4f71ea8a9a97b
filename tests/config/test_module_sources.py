import sys

import pytest

from compare_gan.config.module_copies import CopiesFinder, ModuleCopies
from compare_gan.config.module_sources import ModuleSources, find_sources, imported_modules


@pytest.fixture(name="folder")
def _folder(tmp_path, monkeypatch):
    folder = tmp_path / "sources"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith("sources_"):
            del sys.modules[name]


def _write(folder, **contents):
    for name, content in contents.items():
        path = folder.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def test_modules_of_a_config_are_those_of_its_import_statements():
    text = "from a.b import c\nimport d.e as f\nimport d.e as f\n# import g\nloss.fn = @hinge"
    assert imported_modules(text) == ["a.b.c", "d.e", "d.e"]


def test_sources_follow_imports_of_all_forms_and_execute_nothing(folder):
    _write(
        folder,
        sources_a="import json, numpy.linalg, keras\nfrom sources_space.inner import deep\n1 / 0",
        sources_space__inner__deep="from . import beside\nfrom .. import above\nfrom .x import *",
        sources_space__inner__beside="",
        sources_space__above="def f():\n    from sources_b import anything",
        sources_b="this is no Python",
        sources_other="",
    )
    found = find_sources("import sources_a\nimport sources_nowhere\nimport compare_gan.losses")
    assert list(found.files) == [
        "sources_a.py",
        "sources_b.py",
        "sources_space/above.py",
        "sources_space/inner/beside.py",
        "sources_space/inner/deep.py",
    ]
    assert found.left_out == {} and "sources_a" not in sys.modules


def test_loaded_modules_of_a_package_are_sources_however_they_were_imported(folder):
    _write(
        folder,
        sources_p__main="import importlib\nimportlib.import_module('sources_p.' + 'part')",
        sources_p__part="",
        sources_p__idle="",
    )
    (folder / "sources_p" / "__init__.py").write_text("")
    __import__("sources_p.main")
    found = find_sources("from sources_p import main")
    assert list(found.files) == ["sources_p/__init__.py", "sources_p/main.py", "sources_p/part.py"]


def test_what_is_installed_is_no_source(tmp_path, monkeypatch):
    site = tmp_path / "lib" / "site-packages"
    _write(site, sources_installed="import sources_installed_too", sources_installed_too="")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    assert find_sources("import sources_installed\nimport queue") == ModuleSources()


def test_a_package_without_an_init_file_is_imported_from_copies(folder, tmp_path):
    _write(folder, sources_n__one="from sources_n import two", sources_n__two="VALUE = 2")
    found = find_sources("import sources_n.one")
    finder = CopiesFinder(ModuleCopies.write(str(tmp_path / "copies"), found))
    sys.path.remove(str(folder))
    _write(tmp_path / "copies", sources_n__three="")
    with finder.first():
        module = __import__("sources_n.one").one
    assert module.two.VALUE == 2 and module.__file__ == f"{tmp_path}/copies/sources_n/one.py"
    with pytest.raises(ModuleNotFoundError):
        __import__("sources_n.three")


def test_copies_win_only_while_they_are_imported(folder, tmp_path):
    _write(folder, sources_c="VALUE = 'copy'", sources_d="VALUE = 'copy'")
    copies = ModuleCopies.write(
        str(tmp_path / "copies"), find_sources("import sources_c\nimport sources_d")
    )
    _write(folder, sources_c="VALUE = 'own'", sources_d="VALUE = 'own version'")
    with CopiesFinder(copies).first():
        assert __import__("sources_c").VALUE == "copy"
    assert __import__("sources_d").VALUE == "own version"
