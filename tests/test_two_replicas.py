"""Runs the tests that need two devices, in a process where TensorFlow sees two CPUs."""

import pathlib

import pytest

_FOLDER = pathlib.Path(__file__).parent
_TRAINING = "training/two_replicas.py"
_CODE = "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"


@pytest.mark.parametrize(
    ("marked", "scripts"),
    (
        ("not slow", ("two_replicas.py", _TRAINING)),
        pytest.param("slow", (_TRAINING,), marks=pytest.mark.slow),
    ),
)
def test_two_replicas(forks, marked, scripts):
    options = ["-v", "-n", "0", "-p", "no:cacheprovider", "-m", marked]
    paths = [str(_FOLDER / script) for script in scripts]
    with forks.start(*options, *paths, code=_CODE) as run:
        out, err = run.communicate(timeout=1200)
    assert run.returncode == 0, out[-10_000:] + err[-2_000:]
    assert "SKIPPED" not in out
    for path in paths:
        assert f"{pathlib.Path(path).relative_to(_FOLDER.parent)}::" in out, out
