import sys

from compare_gan.config.module_sources import ModuleSources, find_sources, imported_modules


def test_modules_of_a_config_are_those_of_its_import_statements():
    text = "from a.b import c\nimport d.e as f\nimport d.e as f\n# import g\nloss.fn = @hinge"
    assert imported_modules(text) == ["a.b.c", "d.e", "d.e"]


def test_sources_follow_imports_of_all_forms_and_execute_nothing(folder, write_modules):
    write_modules(
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


def test_loaded_modules_of_a_package_are_sources_however_they_were_imported(folder, write_modules):
    write_modules(
        folder,
        sources_p__main="import importlib\nimportlib.import_module('sources_p.' + 'part')",
        sources_p__part="",
        sources_p__idle="",
    )
    (folder / "sources_p" / "__init__.py").write_text("")
    __import__("sources_p.main")
    found = find_sources("from sources_p import main")
    assert list(found.files) == ["sources_p/__init__.py", "sources_p/main.py", "sources_p/part.py"]


def test_what_is_installed_is_no_source(tmp_path, write_modules, monkeypatch):
    site = tmp_path / "lib" / "site-packages"
    write_modules(site, sources_installed="import sources_installed_too", sources_installed_too="")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    assert find_sources("import sources_installed\nimport queue") == ModuleSources()
