"""Processes that are killed at any moment of a save leave every finished checkpoint intact."""

import os
import signal
import time

import numpy as np

from compare_gan import engine

_KILLS = 25
_SIZE = 20_000


class _Variable:
    """A variable that needs no TensorFlow, which does not survive a fork."""

    def __init__(self, value):
        self.value = np.asarray(value)
        self.dtype, self.shape = self.value.dtype.name, self.value.shape

    def numpy(self):
        return self.value.copy()

    def assign(self, value):
        self.value = np.asarray(value, self.dtype)


class _State:
    def __init__(self):
        self.step = _Variable(np.int64(0))
        self.weights = [_Variable(np.zeros(_SIZE, np.float32)) for _ in range(3)]

    def variables(self):
        return {"step": self.step} | {f"weight/{i}": v for i, v in enumerate(self.weights)}

    def fill(self, step):
        self.step.assign(step)
        for i, variable in enumerate(self.weights):
            variable.assign(np.full(_SIZE, step + i))


def _train_forever(folder, said):
    state = _State()
    checkpoints = engine.Checkpoints(state, folder, keep_max=3)
    checkpoints.resume()
    step = checkpoints.step
    while True:
        # Every third step is saved a second time, over its checkpoint.
        step += 1
        for _ in range(1 + (step % 3 == 0)):
            state.fill(step)
            checkpoints._current = None
            checkpoints.save()
            checkpoints.wait()
            os.write(said, b"%d\n" % step)


def test_finished_checkpoints_survive_kills(tmp_path):
    folder, random = str(tmp_path / "checkpoints"), np.random.default_rng()
    finished = 0
    for number in range(_KILLS):
        hears, said = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _train_forever(folder, said)
            finally:
                os._exit(1)
        os.close(said)
        with os.fdopen(hears) as lines:
            # Some of them have not finished a save yet; on a slow machine others would not either.
            heard = lines.readline() if number % 2 else ""
            time.sleep(random.uniform(0, 0.2))
            os.kill(child, signal.SIGKILL)
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
            heard += lines.read()
        finished = max([finished, *map(int, heard.split())])
        state = _State()
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
    # The next process removes what the killed ones have left.
    state.fill(finished + 100)
    checkpoints = engine.Checkpoints(state, folder, keep_max=3)
    checkpoints.save()
    checkpoints.wait()
    names = [name for _, _, names in os.walk(folder) for name in names]
    assert len(os.listdir(folder)) == 3 and len(names) == 6
    assert names.count("index.json") == 3
