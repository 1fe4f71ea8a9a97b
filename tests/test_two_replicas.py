"""Runs the tests that need two devices, in a process where TensorFlow sees two CPUs."""

import pathlib

_FOLDER = pathlib.Path(__file__).parent
_SCRIPTS = ("two_replicas.py", "training/two_replicas.py")
_CODE = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"


def test_two_replicas(forks):
    options = ["-v", "-n", "0", "-p", "no:cacheprovider"]
    paths = [str(_FOLDER / script) for script in _SCRIPTS]
    with forks.start(*options, *paths, code=_CODE) as run:
        out, err = run.communicate(timeout=1200)
    assert run.returncode == 0, out[-10_000:] + err[-2_000:]
    assert "SKIPPED" not in out
    for path in paths:
        assert f"{pathlib.Path(path).relative_to(_FOLDER.parent)}::" in out, out
