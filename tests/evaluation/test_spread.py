"""Evaluations spread over devices and processes: see `spread_computations.py`."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from compare_gan.engine import Peers
from compare_gan.evaluation.image_sets import GeneratedImages

_SCRIPT = pathlib.Path(__file__).with_name("spread_computations.py")


@pytest.fixture(name="lines", scope="module", params=["tensorflow", "jax"])
def _lines(request, forks):
    """The lines that the script has printed, in parts."""
    if request.param == "tensorflow":
        with forks.start(code=_SCRIPT.read_text(), KERAS_BACKEND="tensorflow") as run:
            out, err = run.communicate(timeout=300)
        assert run.returncode == 0, err[-4000:]
        return out.splitlines()
    pytest.importorskip(request.param)
    environment = os.environ | {
        "KERAS_BACKEND": request.param,
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": str(_SCRIPT.parents[2]),
    }
    command = [sys.executable, str(_SCRIPT)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stderr[-4000:]
    return run.stdout.splitlines()


def test_scores_are_those_of_one_device(lines):
    """Statistics on 2 and 4 devices, scores on two processes with two devices each; given sets."""
    found = {tuple(line.split()[:2]): float(line.split()[2]) for line in lines[:4]}
    assert found.keys() == {
        ("statistics", "2"), ("statistics", "4"), ("scores", "2x2"), ("sets", "4"),
    }  # fmt: skip
    assert max(found.values()) <= 1e-6, found


def test_a_process_that_fails_ends_the_others(lines):
    sentence = "Another process of this run has failed, so this one ends too."
    assert lines[4:] == [
        f"first fails | no such split | {sentence}",
        f"second fails | {sentence} | no such split",
    ]


def test_processes_draw_every_image_once_in_turn(tiny_sampler):
    [images] = GeneratedImages.of(tiny_sampler(), 21, [0], weights="raw")
    expected = list(images.batches(4))
    shares = [list(images.share(4, 2, index, 2)) for index in range(2)]
    assert [len(batch.images) for share in shares for batch in share] == [4] * 8
    in_order = [shares[i // 2 % 2][i // 4 * 2 + i % 2] for i in range(8)]
    found = np.concatenate([batch.images for batch in in_order])[:21]
    np.testing.assert_array_equal(found, np.concatenate([batch.images for batch in expected]))
    labels = np.concatenate([batch.labels for batch in in_order])[:21]
    np.testing.assert_array_equal(labels, np.concatenate([batch.labels for batch in expected]))


def test_arrays_of_all_processes_are_equal_bit_by_bit():
    arrays = {
        "odd": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "special": np.array([[np.nan, -0.0], [np.inf, 1e-42]], np.float32),
    }
    peers = Peers((None, None), 0, 2, lambda block: np.concatenate([block, block[::-1]]))
    found = peers.gather(arrays)
    for name, value in arrays.items():
        expected = np.concatenate([value, value[::-1]])
        assert found[name].dtype == value.dtype
        assert found[name].tobytes() == expected.tobytes()
