import importlib
import sys

import pytest

from compare_gan.config.module_copies import CopiesFinder, ModuleCopies
from compare_gan.config.module_sources import find_sources


@pytest.fixture(name="copy")
def _copy(tmp_path):
    """`copy("a", "b.c")`: a finder of copies of these modules as they are now."""

    def copy(*names):
        sources = find_sources("\n".join(f"import {name}" for name in names))
        return CopiesFinder(ModuleCopies.write(str(tmp_path / "copies"), sources))

    return copy


def _import(name):
    importlib.invalidate_caches()
    return importlib.import_module(name)


def test_a_package_without_an_init_file_is_imported_from_copies(
    folder, tmp_path, write_modules, copy
):
    write_modules(folder, sources_n__one="from sources_n import two", sources_n__two="VALUE = 2")
    finder = copy("sources_n.one")
    sys.path.remove(str(folder))
    write_modules(tmp_path / "copies", sources_n__three="")
    with finder.first():
        module = _import("sources_n.one")
    assert module.two.VALUE == 2 and module.__file__ == f"{tmp_path}/copies/sources_n/one.py"
    with pytest.raises(ModuleNotFoundError):
        _import("sources_n.three")


@pytest.mark.parametrize("package", ("sources_s", "sources_s.inner"))
def test_parts_of_a_package_without_an_init_file_may_be_installed(
    folder, tmp_path, write_modules, copy, monkeypatch, package
):
    place = package.replace(".", "__")
    write_modules(folder, **{f"{place}__own": f"from {package} import installed"})
    site = tmp_path / "site-packages"
    write_modules(site, **{f"{place}__installed": "VALUE = 5"})
    finder = copy(f"{package}.own")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(folder)])
    sys.path.append(str(site))
    with finder.first():
        assert _import(f"{package}.own").installed.VALUE == 5
    assert _import(f"{package}.own").__file__.startswith(f"{tmp_path}/copies/")


def test_copies_win_only_while_they_are_imported(folder, write_modules, copy):
    write_modules(folder, sources_c="VALUE = 'copy'", sources_d="VALUE = 'copy'")
    finder = copy("sources_c", "sources_d")
    write_modules(folder, sources_c="VALUE = 'own'", sources_d="VALUE = 'own version'")
    with finder.first():
        assert _import("sources_c").VALUE == "copy"
    assert _import("sources_d").VALUE == "own version"


def test_afterwards_a_package_is_of_one_piece(folder, write_modules, copy):
    write_modules(folder, sources_e__part="VALUE = 'copy'", sources_f="VALUE = 'copy'")
    (folder / "sources_e" / "__init__.py").write_text("")
    finder = copy("sources_e.part", "sources_f")
    write_modules(folder, sources_e__part="VALUE = 'own version'", sources_e__newer="")
    with finder.first():
        _import("sources_f")
    assert _import("sources_e.part").VALUE == "own version"
    assert _import("sources_e.newer").__file__ == str(folder / "sources_e" / "newer.py")
