import sys

import pytest


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


@pytest.fixture(name="write_modules")
def _write_modules():
    """`write_modules(folder, a__b="…")` writes `a/b.py`."""

    def write(folder, **contents):
        for name, content in contents.items():
            path = folder.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write
