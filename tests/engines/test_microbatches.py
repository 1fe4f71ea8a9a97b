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
    """Draws, penalties of each image, spectral norm, moving averages: without batch norm."""
    on_jax = request.node.callspec.params["differences"] == "jax"
    assert [parts for parts, *_ in differences["microbatches"]] == ([2, "loop"] if on_jax else [3])
    for parts, difference, where in differences["microbatches"]:
        assert difference <= 1e-5, (parts, where)


def test_averages_of_lecam_and_path_length_differ_a_little(differences, request):
    """They include the mean of a part: see `RunConfig.microbatches`."""
    if request.node.callspec.params["differences"] == "jax":
        pytest.skip("once is enough: the computation is that of TensorFlow")
    [[parts, difference, where]] = differences["averages"]
    assert 1e-5 < difference < 2e-2, (parts, where)


def test_rematerialized_blocks_compute_the_same(differences):
    """With batch norm, spectral norm and gradient penalties, which differentiate twice."""
    assert differences["remat"]
    for parts, difference, where in differences["remat"]:
        assert difference <= 1e-5, (parts, where)
