"""A training that does nothing but save, for a process that is killed while it saves."""

import numpy as np

from compare_gan import engine

_SIZE = 20_000


class Variable:
    """A variable that needs no TensorFlow."""

    def __init__(self, value):
        self.value = np.asarray(value)
        self.dtype, self.shape = self.value.dtype.name, self.value.shape

    def numpy(self):
        return self.value.copy()

    def assign(self, value):
        self.value = np.asarray(value, self.dtype)


class State:
    """A step and weights that follow from it."""

    def __init__(self):
        self.step = Variable(np.int64(0))
        self.weights = [Variable(np.zeros(_SIZE, np.float32)) for _ in range(3)]

    def variables(self):
        return {"step": self.step} | {f"weight/{i}": v for i, v in enumerate(self.weights)}

    def fill(self, step):
        self.step.assign(step)
        for i, variable in enumerate(self.weights):
            variable.assign(np.full(_SIZE, step + i))


def save_forever(folder, said):
    """Resumes, and sends the number of each step when its checkpoint is finished."""
    state = State()
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
            said.send(step)
