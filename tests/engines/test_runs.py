"""S³GAN with everything on: a run goes on on the other engine, or on its own to the same bits.

TensorFlow runs in the process of pytest, JAX in processes of its own: see `runs.py`.
"""

import json
import pathlib
import shutil
import sys

import eager
import numpy as np
import pytest

from compare_gan.engine import list_checkpoints, read_checkpoint

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations
import runs

pytest.importorskip("jax")

_SCRIPT = pathlib.Path(runs.__file__)
_HALF, _END = runs.SAVE_EVERY, runs.STEPS
# See `test_engines.py`: some steps of Adam from equal weights, in float32.
_TOLERANCE = 1e-4


@pytest.fixture(name="folder", scope="module")
def _folder(tmp_path_factory):
    """Runs by the engines on which they began and, after half of the steps, went on."""
    folder = tmp_path_factory.mktemp("runs")

    def under_jax(*names):
        process = computations.start_process(
            "jax",
            *(folder / name for name in names),
            script=_SCRIPT,
            # All these runs are one program, which takes longer to compile than all else.
            JAX_COMPILATION_CACHE_DIR=str(folder / "programs"),
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
        )
        computations.wait_for(process)

    def stop_halfway(begun, *names):
        """Copies of the run as if it had been killed before its last checkpoint."""
        *_, half, end = list_checkpoints(str(folder / begun / "checkpoints"))
        assert half.endswith(f"step-{_HALF}")
        ignore = shutil.ignore_patterns(pathlib.Path(end).name)
        for name in names:
            shutil.copytree(folder / begun, folder / name, ignore=ignore)

    runs.train(str(folder / "tensorflow"))
    under_jax("jax")
    stop_halfway("tensorflow", "tensorflow_jax")
    stop_halfway("jax", "jax_jax", "jax_tensorflow")
    under_jax("jax_jax", "tensorflow_jax")
    with eager.eagerly():  # The other run on TensorFlow was compiled.
        runs.train(str(folder / "jax_tensorflow"))
    return folder


def _losses(run: pathlib.Path) -> dict[int, dict[str, float]]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return {
        row["step"]: {name: value for name, value in row.items() if name.startswith("loss/")}
        for row in rows
    }


@pytest.mark.parametrize("begun, ended", [("tensorflow", "jax"), ("jax", "tensorflow")])
def test_a_run_goes_on_to_the_same_losses_on_the_other_engine(folder, begun, ended):
    same, other = _losses(folder / begun), _losses(folder / f"{begun}_{ended}")
    assert list(same) == list(other) == list(range(1, _END + 1))
    for step in range(_HALF + 1, _END + 1):
        assert same[step].keys() == other[step].keys()
        for name, value in same[step].items():
            assert abs(other[step][name] - value) <= _TOLERANCE * max(1, abs(value)), (step, name)


def test_the_engines_train_alike_from_their_own_beginning(folder):
    """From the seed alone: batches and initial weights are equal up to rounding."""
    first, second = _losses(folder / "tensorflow")[1], _losses(folder / "jax")[1]
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert abs(second[name] - value) <= _TOLERANCE * max(1, abs(value)), name


def test_a_resumed_run_ends_in_the_same_bits_under_jax(folder):
    ends = [list_checkpoints(str(folder / run / "checkpoints"))[-1] for run in ("jax_jax", "jax")]
    first, second = map(read_checkpoint, ends)
    assert first.keys() == second.keys() and int(first["step"]) == _END
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
    assert _losses(folder / "jax_jax") == _losses(folder / "jax")
