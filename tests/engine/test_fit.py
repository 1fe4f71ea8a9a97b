"""The loop of every training: lengths of calls, resuming, ends and callbacks."""

import errno
import os
import signal
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import engine
from compare_gan.engine import checkpoint_writer
from compare_gan.engine.call_length import CallLength
from compare_gan.errors import DivergenceError, UserError


class _Model:
    """Counts in a weight: after step n it has been increased by all numbers up to n."""

    names = ("weight", "batch")

    def __init__(self):
        self.step = tf.Variable(0, dtype=tf.int64)
        self.weight = tf.Variable(0.0)

    def variables(self):
        return {"step": self.step, "weight": self.weight}

    def __call__(self, batch):
        self.step.assign_add(1)
        self.weight.assign_add(batch)
        return tf.stack([self.weight, batch])

    def batches(self, num_replicas, replica_ids):
        assert (num_replicas, replica_ids) == (1, [0])
        return tf.data.Dataset.range(int(self.step) + 1, 1000).map(lambda i: tf.cast(i, tf.float32))


class _Log(engine.Callback):
    def __init__(self, every=0):
        self.every = every
        self.calls = []

    def on_begin(self, step):
        self.calls.append(("begin", step))

    def on_steps(self, step, history, seconds):
        assert seconds > 0 and set(history) == {"weight", "batch"}
        self.calls.append(("steps", step, history["batch"].tolist()))

    def on_due(self, step):
        self.calls.append(("due", step))

    def on_divergence(self, step, terms):
        self.calls.append(("divergence", step, list(terms)))

    def on_end(self):
        self.calls.append(("end",))


def _fit(folder, *callbacks, model=None, **options):
    model = model or _Model()
    loop = engine.Loop(model, model.batches)
    checkpoints = engine.Checkpoints(model, str(folder))
    engine.fit(loop, checkpoints, callbacks, **dict(last_step=7, save_every=5) | options)
    return model, loop


def _saved(folder):
    return [engine.step_of(path) for path in engine.list_checkpoints(str(folder))]


def test_calls_end_where_something_is_due(tmp_path):
    log, quiet = _Log(every=3), _Log()
    model, loop = _fit(tmp_path, log, quiet, steps_per_call=4, save_first=True)
    assert log.calls == [
        ("begin", 0),
        ("steps", 3, [1, 2, 3]), ("due", 3),
        ("steps", 4, [4]),
        ("steps", 5, [5]),
        ("steps", 6, [6]), ("due", 6),
        ("steps", 7, [7]), ("due", 7),
        ("end",),
    ]  # fmt: skip
    assert not [call for call in quiet.calls if call[0] == "due"]
    assert _saved(tmp_path) == [0, 5, 7]
    assert float(model.weight) == sum(range(8))
    assert loop.function.experimental_get_tracing_count() == 1


def test_nothing_is_traced_where_functions_run_eagerly(tmp_path, eagerly):
    """Tests of a few steps run so because tracing takes longer."""

    class Counting(_Model):
        calls = 0

        def __call__(self, batch):
            self.calls += 1
            return super().__call__(batch)

    model, loop = _fit(tmp_path, model=Counting())
    assert (model.calls, int(model.step)) == (7, 7)
    assert loop.stages.seconds.keys() == {"data"}


def test_a_second_call_resumes_from_the_newest_checkpoint(tmp_path):
    _fit(tmp_path, last_step=5)
    log = _Log()
    model, _ = _fit(tmp_path, log)
    assert log.calls[0] == ("begin", 5) and log.calls[1] == ("steps", 7, [6, 7])
    assert float(model.weight) == sum(range(8))
    _fit(tmp_path, log := _Log())
    assert log.calls == [("begin", 7), ("end",)]


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1))
def test_a_signal_ends_it_with_pictures_and_a_checkpoint(tmp_path, number):
    class Kill(engine.Callback):
        def on_steps(self, step, history, seconds):
            if step == 2:
                os.kill(os.getpid(), number)

    log, before = _Log(every=100), signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt, match="stopped at turn 2, checkpoint saved"):
        _fit(tmp_path, Kill(), log, steps_per_call=1, unit="turn")
    assert log.calls[-2:] == [("due", 2), ("end",)] and _saved(tmp_path) == [2]
    assert signal.getsignal(number) is before


def test_a_second_signal_interrupts_and_names_the_last_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr("compare_gan.interruption._SECONDS_OF_REPETITION", 0.0)

    class Kill(engine.Callback):
        def on_steps(self, step, history, seconds):
            if step == 6:
                os.kill(os.getpid(), signal.SIGTERM)
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(
        KeyboardInterrupt, match="there is no checkpoint yet, so no turns are saved"
    ):
        _fit(tmp_path, Kill(), steps_per_call=1, unit="turn", save_every=100)
    _fit(tmp_path, last_step=5)
    sentence = r"any turns after the last checkpoint \(turn 5\) are lost"
    with pytest.raises(KeyboardInterrupt, match=sentence):
        _fit(tmp_path, Kill(), steps_per_call=1, unit="turn")
    assert _saved(tmp_path) == [5]
    monkeypatch.setattr("compare_gan.interruption._SECONDS_OF_REPETITION", 1000.0)
    with pytest.raises(KeyboardInterrupt, match="stopped at step 6"):  # A repetition is no second.
        _fit(tmp_path, Kill(), steps_per_call=1)


@pytest.mark.parametrize("number", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1))
def test_a_signal_that_is_ignored_ends_nothing(tmp_path, request, number):
    """SIGHUP under `nohup`, SIGINT in the background jobs of a script."""

    class Kill(engine.Callback):
        def on_steps(self, step, history, seconds):
            os.kill(os.getpid(), number)

    before = signal.signal(number, signal.SIG_IGN)
    request.addfinalizer(lambda: signal.signal(number, before))
    _fit(tmp_path, Kill())
    assert _saved(tmp_path) == [5, 7]


def test_calls_that_are_cut_are_recorded_together(tmp_path, monkeypatch):
    record = CallLength.record
    monkeypatch.setattr(CallLength, "record", lambda self, count, _: record(self, count, 0.01))

    class Calls(engine.Callback):
        lengths = ()

        def on_call(self, step, history, seconds):
            self.lengths += (len(history["batch"]),)

    log, calls = _Log(), Calls()
    model, loop = _fit(tmp_path, log, calls, last_step=40, save_every=40, steps_per_call=40)
    assert calls.lengths == (1, 1, 10, 28)  # Ten times as long at most.
    assert [call[1] for call in log.calls if call[0] == "steps"] == [40]
    assert log.calls[1][2] == list(range(1, 41))
    assert float(model.weight) == sum(range(41))
    assert loop.function.experimental_get_tracing_count() == 1


def test_the_last_checkpoint_is_complete_or_its_error_is_raised(tmp_path, monkeypatch):
    class Kill(engine.Callback):
        def on_steps(self, step, history, seconds):
            os.kill(os.getpid(), signal.SIGTERM)

    complete = checkpoint_writer.write_index

    def complete_late(*args):
        time.sleep(0.2)
        complete(*args)

    def fail(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint_writer, "write_index", complete_late)
    _fit(tmp_path / "late")
    assert _saved(tmp_path / "late") == [5, 7]
    monkeypatch.setattr(checkpoint_writer, "write_index", fail)
    with pytest.raises(OSError, match="No space left") as caught:  # Not "checkpoint saved".
        _fit(tmp_path / "full", Kill())
    assert caught.value.filename == str(tmp_path / "full" / "step-5")


def test_a_value_that_is_not_finite_ends_it_without_a_checkpoint(tmp_path):
    class Broken(_Model):
        def __call__(self, batch):
            values = super().__call__(batch)
            return tf.where(self.step == 6, tf.constant([1.0, np.nan]), values)

    log = _Log()
    with pytest.raises(DivergenceError, match=r"at step 6: batch is not finite\. The last check"):
        _fit(tmp_path, log, model=Broken(), last_step=100)
    assert log.calls[-2:] == [("divergence", 6, ["batch"]), ("end",)]
    assert _saved(tmp_path) == [5]


def test_a_callback_may_find_divergence(tmp_path):
    class Picture(_Log):
        def on_due(self, step):
            raise DivergenceError("The picture is not finite.")

    picture = Picture(every=2)
    with pytest.raises(DivergenceError, match=r"at step 2: The picture is not finite\. The last"):
        _fit(tmp_path, picture)
    assert picture.calls[-2:] == [("divergence", 2, []), ("end",)]
    assert _saved(tmp_path) == []


def test_all_callbacks_see_a_divergence_and_the_first_own_error_is_raised(tmp_path):
    class Explains(_Log):
        def on_divergence(self, step, terms):
            super().on_divergence(step, terms)
            raise DivergenceError(f"Lower rate {self.every}.")

        def on_due(self, step):
            raise DivergenceError("The picture is not finite.")

    logs = [Explains(every=2), Explains(every=3), _Log()]
    with pytest.raises(DivergenceError, match=r"^Lower rate 2\.$"):
        _fit(tmp_path, *logs)
    assert all(("divergence", 2, []) in log.calls for log in logs)


def test_a_checkpoint_that_another_process_saved_meanwhile_is_restored(tmp_path):
    _fit(tmp_path, last_step=2)
    model = _Model()
    loop, checkpoints = engine.Loop(model, model.batches), engine.Checkpoints(model, str(tmp_path))
    checkpoints.resume()
    loop.run(1)
    _fit(tmp_path, last_step=5)
    engine.fit(loop, checkpoints, last_step=7)
    assert float(model.weight) == sum(range(8))


def test_an_older_checkpoint_may_be_chosen(tmp_path):
    _fit(tmp_path, last_step=7)
    model = _Model()
    checkpoints = engine.Checkpoints(model, str(tmp_path))
    checkpoints.restore(engine.list_checkpoints(str(tmp_path))[0])
    checkpoints.resume()
    assert checkpoints.step == 5


def test_after_an_error_callbacks_are_ended(tmp_path):
    class Fails(engine.Callback):
        def on_begin(self, step):
            raise OSError("disk full")

    first, last = _Log(), _Log()
    with pytest.raises(OSError, match="disk full"):
        _fit(tmp_path, first, Fails(), last)
    assert first.calls == [("begin", 0), ("end",)] and last.calls == []


def test_an_update_is_the_gradient_step():
    weights = [keras.Variable([1.0, 2.0]), keras.Variable(3.0)]
    sgd = keras.optimizers.SGD(0.1)
    sgd.build(weights)

    def loss():
        value = tf.reduce_sum(weights[0].value ** 2) * weights[1].value
        return value, {"half": value / 2}

    done = engine.update(loss, weights, sgd)
    assert (float(done.loss), float(done.aux["half"]), done.loss_scale) == (15.0, 7.5, None)
    np.testing.assert_allclose(done.gradient_norm, np.sqrt(6**2 + 12**2 + 5**2), rtol=1e-6)
    np.testing.assert_allclose(weights[0], [1 - 0.6, 2 - 1.2], rtol=1e-6)
    np.testing.assert_allclose(weights[1], 2.5, rtol=1e-6)


def test_processes_that_restored_different_steps_end(tmp_path, monkeypatch):
    """A disk that is not shared, or shows a checkpoint late: weights would be mixed."""
    model = _Model()
    loop = engine.Loop(model, model.batches)
    monkeypatch.setattr(loop, "of_chief", lambda value: value + 10)
    with pytest.raises(UserError, match="The first process has restored step 10, this one step 0"):
        engine.fit(loop, engine.Checkpoints(model, str(tmp_path)), last_step=20)
    assert int(model.step) == 0


def test_another_process_than_the_first_shows_its_progress_and_writes_nothing(
    tmp_path, monkeypatch, capsys
):
    model, log = _Model(), _Log(every=2)
    loop = engine.Loop(model, model.batches)
    monkeypatch.setattr(loop, "is_chief", False)
    engine.fit(loop, engine.Checkpoints(model, str(tmp_path)), [log], last_step=3)
    assert int(model.step) == 3 and not log.calls and not _saved(tmp_path)
    # The first call, then none within a minute but the last.
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "step 1/3: together with the first process",
        "step 3/3: together with the first process",
    ]
