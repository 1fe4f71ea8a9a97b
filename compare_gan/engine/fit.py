"""The training loop: calls of the compiled loop, checkpoints, callbacks, signals, divergence."""

import contextlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

import numpy as np

from compare_gan import peers
from compare_gan.engine.call_length import CallLength, Courses
from compare_gan.engine.callback import Callback, OtherProcess
from compare_gan.engine.checkpoints import Checkpoints
from compare_gan.engine.divergence import Divergence, Rollback
from compare_gan.engine.interface import LoopLike
from compare_gan.engine.signals import DelayedSignals
from compare_gan.errors import DivergenceError, UserError

_log = logging.getLogger(__name__)


def fit(
    loop: LoopLike,
    checkpoints: Checkpoints,
    callbacks: Iterable[Callback] = (),
    *,
    last_step: int,
    steps_per_call: int = 50,
    save_every: int = 1000,
    save_first: bool = False,
    unit: str = "step",
    rollback: Rollback | None = None,
) -> None:
    """Trains to the last step, from the newest checkpoint if there is one.

    Calls of the compiled loop end at multiples of `steps_per_call`, of `save_every` and of each
    callback's `every`, and earlier if they would take longer than about five seconds. No result
    depends on that. A signal (see `DelayedSignals`), to any worker, ends the training after the
    running call, with a checkpoint. Checkpoints are written while training goes on; at the end, the
    last one is complete. A checkpoint with variables that are not finite is never written: that is
    divergence.

    Args:
      loop: The step and its batches.
      checkpoints: The state that the step changes, and the folder that it is saved in.
      callbacks: Records, pictures, warnings, in the order in which they are called.
      last_step: The step at which the training ends.
      steps_per_call: Maximum number of steps per call of the compiled loop, and steps between calls
        of `on_steps`.
      save_every: Steps between checkpoints. The last step is always saved.
      save_first: Also save the state before the first step.
      unit: The name of a step in messages.
      rollback: The way on after a divergence; None = it ends the training.

    Raises:
      DivergenceError: A value or a variable was not finite, or a callback found that the training
        has diverged, and no rollback remained. The last checkpoint remains.
      KeyboardInterrupt: A signal ended the training.

    Example:
      >>> import tempfile, keras, tensorflow as tf
      >>> from keras import ops
      >>> from compare_gan import engine
      >>> class Regression:  # Step and state in one.
      ...     names = ("loss",)
      ...     def __init__(self):
      ...         self.weight = keras.Variable(0.0)
      ...         self.optimizer = keras.optimizers.SGD(0.1)
      ...         self.optimizer.build([self.weight])
      ...         self.step = self.optimizer.iterations
      ...     def variables(self):  # In checkpoints.
      ...         return {"step": self.step, "weight": self.weight}
      ...     def state_variables(self):  # JAX asks for these, and for the axis of the examples.
      ...         return [self.weight, *self.optimizer.variables]
      ...     def batch_axis(self, name):
      ...         return 0
      ...     def __call__(self, batch):
      ...         x = batch["x"]
      ...         loss = lambda: (ops.mean((self.weight.value * x - 2 * x) ** 2), None)
      ...         return engine.update(loss, [self.weight], self.optimizer).loss[None]
      >>> model = Regression()
      >>> batch = {"x": ops.array([1.0, 2.0])}
      >>> data = tf.data.Dataset.from_tensors(batch).repeat()  # JAX: itertools.repeat(batch)
      >>> loop = engine.Loop(model, lambda num_replicas, replica_ids: data)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     engine.fit(loop, engine.Checkpoints(model, folder), last_step=20)
      ...     saved = engine.list_checkpoints(folder)
      >>> round(float(model.weight), 3), [engine.step_of(path) for path in saved]
      (2.0, [20])
    """
    callbacks = list(callbacks)
    active = callbacks if loop.is_chief else [OtherProcess(unit, last_step)]
    before = checkpoints.step
    checkpoints.resume()
    _check_same_step(loop, checkpoints)
    step = checkpoints.step
    if step != before:
        loop.iterator = None  # Its batches are those of another step.
    periods = [steps_per_call, save_every, *(each.every for each in callbacks if each.every)]
    length, courses = CallLength(), Courses()
    ended = False
    with (
        DelayedSignals(lambda: _lost(checkpoints, unit)) as signals,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(checkpoints.wait)  # At the end, however it ends.
        with _together(loop):
            for callback in active:
                callback.on_begin(step)
                stack.callback(callback.on_end)
        if save_first and step == 0:
            found = _save(loop, checkpoints)
            if found:
                _raise_divergence(active, step, found, unit)
        while step < last_step and not ended:
            due = min(*(period - step % period for period in periods), last_step - step)
            count = min(due, loop.of_chief(length.steps))
            started = time.perf_counter()
            history = loop.run(count)
            step, seconds = checkpoints.step, time.perf_counter() - started
            length.record(count, seconds)
            courses.add(history, seconds)
            broken = [name for name, course in history.items() if not np.isfinite(course[-1])]
            found = Divergence.of(broken) if broken else None
            with _together(loop):
                for callback in active:
                    callback.on_call(step, history, seconds)
                if found or count == due:
                    _call_on_steps(active, step, courses)
            # All workers must leave the loop at the same step.
            ended = loop.any_worker(signals.received)
            if ended and courses:
                with _together(loop):
                    _call_on_steps(active, step, courses)
            last = ended or step == last_step
            found = found or _call_due(loop, callbacks, step, last)
            if not found and (last or step % save_every == 0):
                found = _save(loop, checkpoints)
            if found:
                step = _roll_back(loop, checkpoints, active, rollback, step, found, unit)
        with _together(loop):
            checkpoints.wait()
        ended = loop.any_worker(ended or signals.received)
    if ended and peers.Connections.active is not None:
        peers.Connections.active.end_agreed = True
    if ended or signals.received:
        raise KeyboardInterrupt(f"stopped at {unit} {step}, checkpoint saved")


def _check_same_step(loop: LoopLike, checkpoints: Checkpoints) -> None:
    """Raises an error in all workers unless all have restored the same step.

    A file system of the network may show the newest checkpoint later to some of them.
    """
    of_chief = loop.of_chief(checkpoints.step)
    with _together(loop):
        if min(checkpoints.step, 2**24) != min(of_chief, 2**24):
            raise UserError(
                f"The first process has restored step {of_chief}, this one step "
                f"{checkpoints.step}: --model_dir must be on a disk that all processes share."
            )


def _lost(checkpoints: Checkpoints, unit: str) -> str:
    """Says which steps an end at once loses: true at any moment, also before the first new step."""
    newest = checkpoints.newest_step
    if newest < 0:
        return f"there is no checkpoint yet, so no {unit}s are saved"
    return f"any {unit}s after the last checkpoint ({unit} {newest}) are lost"


def _call_on_steps(callbacks: Sequence[Callback], step: int, courses: Courses) -> None:
    history, seconds = courses.take()
    for callback in callbacks:
        callback.on_steps(step, history, seconds)


def _save(loop: LoopLike, checkpoints: Checkpoints) -> Divergence | None:
    """Saves a checkpoint: the chief does, or all workers if each holds a part of the state.

    Returns:
      The variables that are not finite, in which case no worker saves anything; else None.
    """
    takes_part = loop.is_chief or checkpoints.collective
    with _together(loop):
        checkpoints.wait()
    copy, broken = None, []
    with _together(loop):
        if takes_part:
            copy = checkpoints.copy()
            broken = copy.not_finite
    if loop.any_worker(bool(broken)):
        return Divergence.of(broken or ["variables of another process"])
    with _together(loop):
        if copy is not None:
            checkpoints.save(copy)
    return None


@contextlib.contextmanager
def _together(loop: LoopLike) -> Iterator[None]:
    """The context of a part that may fail in one worker: all of them end then, and none waits."""
    error = None
    try:
        yield
    except Exception as caught:
        error = caught
    if loop.any_worker(error is not None):
        raise error or UserError("Another process of this run has failed, so this one ends too.")


def _call_due(
    loop: LoopLike, callbacks: Sequence[Callback], step: int, last: bool
) -> Divergence | None:
    """Calls the callbacks that are due; returns the divergence that one of them finds."""
    due = [each for each in callbacks if each.every and (last or step % each.every == 0)]
    if not due:
        return None
    found = None
    with loop.local_state(), _together(loop):
        try:
            for callback in due if loop.is_chief else ():
                callback.on_due(step)
        except DivergenceError as error:
            found = Divergence(str(error).rstrip("."))
    if loop.any_worker(found is not None):
        return found or Divergence("The first process has found it")
    return None


def _roll_back(
    loop: LoopLike,
    checkpoints: Checkpoints,
    active: Sequence[Callback],
    rollback: Rollback | None,
    step: int,
    found: Divergence,
    unit: str,
) -> int:
    """Goes back to the newest checkpoint, in every worker; returns its step.

    Raises:
      DivergenceError: No rollback or no checkpoint remains.
    """
    if rollback is None or rollback.remaining < 1:
        _raise_divergence(active, step, found, unit)
    with _together(loop):
        checkpoints.wait()  # The chief may be writing the checkpoint that all will read.
    with _together(loop):
        restored = checkpoints.restore_newest()
    _check_same_step(loop, checkpoints)
    if restored is None:
        _raise_divergence(active, step, found, unit)
    rollback.remaining -= 1
    loop.iterator = None  # Its batches are those of another step.
    with _together(loop):
        rollback.change_batches(step, found.terms)
    if loop.is_chief:
        _log.warning(
            "Training diverged at %s %d: %s. It goes on from %s %d with other batches; rollbacks "
            "left: %d.",
            *(unit, step, found.reason, unit, checkpoints.step, rollback.remaining),
        )
    with _together(loop):
        for callback in active:
            callback.on_rollback(checkpoints.step)
    return checkpoints.step


def _raise_divergence(
    callbacks: Sequence[Callback], step: int, found: Divergence, unit: str
) -> NoReturn:
    """Calls all callbacks; raises the first error of their own, or else one with the finding."""
    errors: list[Exception] = []
    for callback in callbacks:
        try:
            callback.on_divergence(step, found.terms)
        except Exception as error:
            errors.append(error)
    text = f"Training diverged at {unit} {step}: {found.reason}. The last checkpoint is kept."
    raise (*errors, DivergenceError(text))[0]
