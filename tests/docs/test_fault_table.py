"""The table of faults is that of the docstrings of their tests."""

import importlib.util
import pathlib

import pytest

_ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(name="script", scope="module")
def _script():
    path = _ROOT / "scripts" / "write_fault_table.py"
    spec = importlib.util.spec_from_file_location("write_fault_table", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_has_the_table_of_today(script):
    page = (_ROOT / "docs" / "faults.md").read_text()
    current = script.renew(page, script.make_table()) == page
    assert current, "docs/faults.md is out of date: run python scripts/write_fault_table.py"


_TESTS = '''
"""Faults of disks: full ones."""

def test_full():
    """Fault: the disk is full
      or nearly.

    Command: train a|b
    User sees: `No space_left`, <name>
    Exit code: 1
    Lost: nothing

    Fault: it is read-only
    Lost: my_file
    """

def test_without_a_row():
    """Something else."""
'''


def test_rows_of_a_docstring(script, tmp_path):
    for name in ("faults/test_a.py", "layers/test_b.py"):
        (tmp_path / name).parent.mkdir()
    (tmp_path / "faults" / "test_a.py").write_text(_TESTS)
    test = "def test_zero():\n    'Fault: f\\nCommand: c\\nUser sees: s\\nExit code: 0\\nLost: l'\n"
    (tmp_path / "layers" / "test_b.py").write_text(test)
    lines = script.make_table(tmp_path).splitlines()
    seen = "`No space_left`, \\<name\\>"
    assert lines == [
        "3 faults.",
        "",
        "## Disks: full ones",
        "",
        "| Fault | Command | User sees | Exit code | Lost | Test |",
        "|---|---|---|---|---|---|",
        f"| The disk is full or nearly | train a\\|b | {seen} | 1 | Nothing | `test_full` |",
        f"| It is read-only | train a\\|b | {seen} | 1 | My\\_file | `test_full` |",
        "",
        "## Faults whose tests are with those of the part, in other folders of `tests/`",
        "",
        "| Fault | Command | User sees | Exit code | Lost | Test |",
        "|---|---|---|---|---|---|",
        "| F | c | S | 0 | L | `layers/test_b.py::test_zero` |",
    ]


def test_an_incomplete_row_is_named(script, tmp_path):
    (tmp_path / "test_a.py").write_text(_TESTS.replace("Exit code", "Exit status"))
    with pytest.raises(ValueError, match=r"The docstring of test_full lacks Exit code\."):
        script.make_table(tmp_path)
