"""Checks of JAX's update and loop where the right values are known, for `test_jax_engine.py`."""

import itertools
import os
import types
from unittest import mock

import jax
import keras
import numpy as np
from keras import ops

from compare_gan import backend, engine
from compare_gan.engine.jax import loop as loop_module


class AddingStep:
    """Adds up the batches: after step n the total is that of all numbers up to n."""

    names = ("total", "batch")

    def __init__(self, processes=1):
        self.processes = processes
        self.step = keras.Variable(0, dtype="int32")
        self.total = keras.Variable(0.0)
        self.traces = 0

    def variables(self):
        return {"step": self.step, "total": self.total}

    def state_variables(self):
        return [self.step, self.total]

    def batch_axis(self, name):
        return {"numbers": 0, "seed": None}[name]

    def __call__(self, batch):
        self.traces += 1
        self.step.assign_add(1)
        value = ops.mean(batch["numbers"]) + 0.0 * ops.cast(batch["seed"], "float32")[0]
        self.total.assign_add(value)
        return ops.stack([self.total.value, value])

    def batches(self, num_processes=1, own=(0,)):
        assert (num_processes, list(own)) == (self.processes, [jax.process_index()])
        for i in range(int(self.step.numpy()) + 1, 1000):
            number = np.nan if i == 70 else float(i)
            yield {"numbers": np.full(4, number, np.float32), "seed": np.array([1, 2], np.int32)}


def check_loop():
    """The same course step by step and in a compiled loop over chunks, with one trace."""
    for chunk in (1, 4):
        step = AddingStep()
        loop = engine.Loop(step, step.batches)
        loop._steps_per_chunk = lambda batch, chunk=chunk: chunk
        # A short first call does not make the chunks of later ones shorter.
        assert loop.run(1)["batch"].tolist() == [1.0] and loop._capacity == chunk
        first, second = loop.run(9), loop.run(3)
        assert first["batch"].tolist() == list(range(2, 11)), first
        assert second["total"].tolist() == [66.0, 78.0, 91.0] and int(step.step) == 13
        assert step.traces == 1, step.traces
        # A value assigned between two calls counts, in memory that the loop may not reuse.
        donated = step.step.value
        copy = keras.Variable(0.0)
        copy.assign(ops.convert_to_numpy(step.total))
        step.total.assign(1000.0)
        assert loop.run(1)["total"].tolist() == [1014.0]
        assert float(copy) == 91.0 and step.traces == 1
        assert donated.is_deleted()
        # It stops at the step with a value that is not finite.
        last = loop.run(500)
        assert len(last["batch"]) == 70 - 14 and np.isnan(last["batch"][-1])
        assert np.isfinite(last["batch"][:-1]).all() and int(step.step) == 70
        assert loop.iterator is None


def check_interruption():
    """An error between two steps leaves the state of the last whole step, and new batches."""
    step = AddingStep()
    loop = engine.Loop(step, step.batches)

    def broken():
        yield from itertools.islice(step.batches(), 3)
        raise OSError("unreadable")

    loop.iterator = broken()
    try:
        loop.run(5)
    except OSError:
        pass
    else:
        raise AssertionError
    assert int(step.step) == 3 and float(step.total) == 6.0
    assert loop.run(0) == {}
    assert loop.run(2)["batch"].tolist() == [4.0, 5.0]


def check_unlisted_variables():
    """A variable that a step assigns without listing it would lose its values."""

    class Forgetful(AddingStep):
        def state_variables(self):
            return [self.step]

    step = Forgetful()
    loop = engine.Loop(step, step.batches)
    try:
        loop.run(1)
    except ValueError as error:
        assert str(error).endswith("which `state_variables` does not list."), error
    else:
        raise AssertionError
    function = backend.compiled(lambda: step.total.assign(1.0))
    try:
        function()
    except ValueError as error:
        assert str(error) == "The function assigns a variable that `variables` does not list."
    else:
        raise AssertionError


def check_chunks():
    """A chunk is limited in bytes, and on CPU it is one step."""
    step = AddingStep()
    loop = engine.Loop(step, step.batches)
    batch = {"images": np.zeros([2**20], np.uint8)}
    assert loop._steps_per_chunk(batch) == 1
    mesh = types.SimpleNamespace(devices=np.array([types.SimpleNamespace(platform="gpu")]))
    loop.strategy = types.SimpleNamespace(mesh=mesh)
    assert loop._steps_per_chunk(batch) == loop_module._STEPS_PER_CHUNK
    batch = {"images": np.zeros([2**23], np.uint8)}
    assert loop._steps_per_chunk(batch) == loop_module._BYTES_PER_CHUNK // 2**23
    batch = {"images": np.zeros([2**27], np.uint8)}
    assert loop._steps_per_chunk(batch) == 1


def check_update():
    """Gradient descent on (w x - 2 x)², with a moving average that the loss assigns."""
    weight, average = keras.Variable(3.0), keras.Variable(0.0, trainable=False)
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build([weight])

    def loss():
        average.assign(0.5 * average + 0.5 * weight)
        return (weight.value - 2.0) ** 2, {"twice": 2.0 * weight.value, "nothing": None}

    for expected in (3.0, 2.8):
        done = engine.update(loss, [weight], optimizer)
        np.testing.assert_allclose(float(done.loss), (expected - 2) ** 2, rtol=1e-6)
        np.testing.assert_allclose(float(done.gradient_norm), 2 * (expected - 2), rtol=1e-6)
        np.testing.assert_allclose(float(done.aux["twice"]), 2 * expected, rtol=1e-6)
        assert done.aux["nothing"] is None and done.loss_scale is None
    np.testing.assert_allclose([float(weight), float(average)], [2.64, 0.75 + 1.4], rtol=1e-6)


def check_loss_scale():
    """An overflow is skipped and halves the scale; enough good updates double it; see Keras."""
    weight = keras.Variable(np.array([1.0, 1.0], np.float32))
    inner = keras.optimizers.SGD(0.5)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, 2.0**15, dynamic_growth_steps=2)
    optimizer.build([weight])
    factor = keras.Variable(1.0)

    def loss():
        return ops.sum(ops.cast(weight * factor, "float16")), None

    states = []
    for value in (1.0, 1e36, 1.0, 1.0):
        factor.assign(value)
        done = engine.update(loss, [weight], optimizer)
        states.append(
            (
                float(done.loss_scale),
                float(done.gradient_norm),
                float(weight.numpy()[0]),
                float(optimizer.dynamic_scale.numpy()),
                int(optimizer.step_counter.numpy()),
                int(inner.iterations.numpy()),
            )
        )
    norm = float(np.float32(np.sqrt(2.0)))
    expected = [
        (2.0**15, norm, 0.5, 2.0**15, 1, 1),
        (2.0**15, 0.0, 0.5, 2.0**14, 0, 1),
        (2.0**14, norm, 0.0, 2.0**14, 1, 2),
        (2.0**14, norm, -0.5, 2.0**15, 0, 3),
    ]
    np.testing.assert_allclose(states, expected, rtol=1e-6)


def check_devices():
    """Arrays are divided along their longest axis that the devices divide equally."""
    from jax.sharding import Mesh

    devices = engine.make_strategy()
    assert devices.num_replicas_in_sync == len(jax.devices()) == 2
    assert engine.make_strategy("one_device").num_replicas_in_sync == 1
    assert engine.make_strategy(single_core=True).num_replicas_in_sync == 1
    assert engine.make_strategy("mirrored").num_replicas_in_sync == 2
    assert engine.is_chief(devices) and devices.processes == [0]
    divided = type(devices)(Mesh(np.array(jax.devices()), ("batch",)), shard_state=True)
    for shape, spec in (
        ((), ()), ((3,), ()), ((4,), ("batch",)), ((3, 3, 2, 8), (None, None, None, "batch")),
        ((4, 2), ("batch",)), ((0,), ()),
    ):  # fmt: skip
        assert tuple(divided.of_state(shape).spec) == spec, shape
        assert tuple(devices.of_state(shape).spec) == ()


def check_mistakes():
    """Clusters that are not there."""
    from compare_gan.engine.jax.distribution import connect
    from compare_gan.errors import UserError

    def without_devices(error):
        with mock.patch.object(jax, "devices", side_effect=error):
            engine.make_strategy()

    cases = {
        "there is one process": lambda: engine.make_strategy("multi_worker"),
        "but JAX runs on cpu": lambda: engine.make_strategy("tpu"),
        "NUM_PROCESSES must be a number, received ''": lambda: connect(
            {"COORDINATOR_ADDRESS": "localhost:1"}
        ),
        "COORDINATOR_ADDRESS must be HOST:PORT, received 'localhost'": lambda: connect(
            {"COORDINATOR_ADDRESS": "localhost"}
        ),
        "JAX finds no devices (JAX_PLATFORMS is 'cpu'): it has no such platform; GPUs need": (
            lambda: without_devices(AssertionError())
        ),
        "JAX finds no devices (JAX_PLATFORMS is 'cpu'): Unknown backend x; GPUs need": (
            lambda: without_devices(RuntimeError("Unknown backend x.\nMore."))
        ),
        "PROCESS_ID must be a number, received 'one'": lambda: connect(
            {"COORDINATOR_ADDRESS": "localhost:1", "NUM_PROCESSES": "2", "PROCESS_ID": "one"}
        ),
    }
    for text, make in cases.items():
        try:
            make()
        except UserError as error:
            assert text in str(error), error
        else:
            raise AssertionError(text)
    cluster = {"COORDINATOR_ADDRESS": "localhost:1", "NUM_PROCESSES": "2", "PROCESS_ID": "2"}
    with mock.patch.dict(os.environ, cluster):
        try:
            engine.make_strategy()
        except UserError as error:
            sentence = "PROCESS_ID must be from 0 to 1, as NUM_PROCESSES is 2; received 2."
            assert str(error) == sentence
        else:
            raise AssertionError(sentence)
        # `compare_gan label` waits for no other process.
        for distribution in ("auto", "multi_worker"):
            devices = engine.make_strategy(distribution, alone=True)
            assert devices.processes == [0] and engine.is_chief(devices)
    for alone in ({"SLURM_NTASKS": "1", "SLURM_STEP_NODELIST": "a"}, {"SLURM_NTASKS": "4"}):
        connect(alone)  # The second one: a batch job that has not started processes.
    assert not jax.distributed.is_initialized()


CHECKS = [name for name in dir() if name.startswith("check_")]

if __name__ == "__main__":
    for name in CHECKS:
        globals()[name]()
        print("passed", name, flush=True)
