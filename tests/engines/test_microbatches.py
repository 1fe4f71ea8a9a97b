"""Microbatches and rematerialized blocks on both engines: see `microbatch_computations.py`."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations

_SCRIPT = pathlib.Path(__file__).with_name("microbatch_computations.py")


@pytest.fixture(name="differences", scope="module", params=["tensorflow", "jax"])
def _differences(request):
    """The largest relative difference of state and losses after two steps, by (option, value)."""
    pytest.importorskip(request.param)
    process = computations.start_process(request.param, script=_SCRIPT)
    output = computations.wait_for(process)[0]
    lines = [line for line in output.splitlines() if line.startswith(("microbatches", "remat"))]
    return {tuple(line.split()[:2]): (float(line.split()[2]), line) for line in lines}


def test_microbatches_are_equal_to_the_whole_batch(differences):
    """Draws, penalties, spectral norm, moving averages, LeCam's memory: without batch norm."""
    found = {key: value for key, value in differences.items() if key[0] == "microbatches"}
    assert len(found) == 2
    for difference, line in found.values():
        assert difference <= 1e-5, line


def test_rematerialized_blocks_compute_the_same(differences):
    """With batch norm, spectral norm and gradient penalties, which differentiate twice."""
    found = {key: value for key, value in differences.items() if key[0] == "remat"}
    assert found
    for difference, line in found.values():
        assert difference <= 1e-5, line
