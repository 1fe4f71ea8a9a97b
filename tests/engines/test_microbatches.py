"""Microbatches and rematerialized blocks on both engines: see `microbatch_computations.py`."""

import json
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations
import microbatch_computations

pytestmark = pytest.mark.slow

_SCRIPT = pathlib.Path(__file__).with_name("microbatch_computations.py")


@pytest.fixture(name="differences", scope="module", params=["tensorflow", "jax"])
def _differences(request):
    """By option, those of state and losses after two steps: [(value, difference, where)]."""
    pytest.importorskip(request.param)
    if request.param == "tensorflow":
        found = list(microbatch_computations.compute())
    else:
        output = computations.wait_for(computations.start_process("jax", script=_SCRIPT))[0]
        found = json.loads(output.splitlines()[-1])
    options = {option for option, *_ in found}
    return {each: [rest for option, *rest in found if option == each] for each in options}


def test_microbatches_are_equal_to_the_whole_batch(differences, request):
    """Draws, penalties, spectral norm, moving averages, LeCam's memory: without batch norm."""
    on_jax = request.node.callspec.params["differences"] == "jax"
    assert [parts for parts, *_ in differences["microbatches"]] == ([2, "loop"] if on_jax else [3])
    for parts, difference, where in differences["microbatches"]:
        assert difference <= 1e-5, (parts, where)


def test_rematerialized_blocks_compute_the_same(differences):
    """With batch norm, spectral norm and gradient penalties, which differentiate twice."""
    assert differences["remat"]
    for parts, difference, where in differences["remat"]:
        assert difference <= 1e-5, (parts, where)
