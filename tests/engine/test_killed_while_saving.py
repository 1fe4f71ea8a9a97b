"""Processes that are killed at any moment of a save leave every finished checkpoint intact."""

import multiprocessing
import os
import signal
import sys
import time

import numpy as np
import pytest
from endless_saves import State, save_forever

from compare_gan import engine


@pytest.mark.parametrize("kills", (9, pytest.param(40, marks=pytest.mark.slow)))
def test_finished_checkpoints_survive_kills(tmp_path, monkeypatch, kills):
    folder, random = str(tmp_path / "checkpoints"), np.random.default_rng()
    # Children of a process of its own: one that has threads, as pytest's has after other tests,
    # cannot be forked safely.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["endless_saves"])
    finished = 0
    for number in range(kills):
        hears, says = processes.Pipe(duplex=False)
        child = processes.Process(target=save_forever, args=(folder, says))
        child.start()
        says.close()
        # Some of them have not finished a save yet; on a slow machine others would not either.
        if number % 2:
            finished = hears.recv()
        time.sleep(random.uniform(0, 0.2))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        try:
            while True:
                finished = hears.recv()
        except (EOFError, OSError):  # The end, or a number that was cut off.
            hears.close()
        state = State()
        checkpoints = engine.Checkpoints(state, folder)
        if checkpoints.restore_newest() is None:
            assert not finished
            continue
        assert checkpoints.step >= finished
        # All that are listed are whole, not the newest alone.
        for path in engine.list_checkpoints(folder):
            checkpoints.restore(path)
            for i, variable in enumerate(state.weights):
                np.testing.assert_array_equal(variable.value, engine.step_of(path) + i)
    assert finished > 3
