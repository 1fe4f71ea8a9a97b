"""Signals, closed terminals and readers that go: nothing that can be saved is lost."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from compare_gan import engine, interruption
from compare_gan.engine import call_length
from compare_gan.training.recorder import Recorder

_ROOT = pathlib.Path(__file__).parents[2]
# `compare_gan`, with a line of progress after each call, and a byte in a file afterwards.
_TALKATIVE = """
import sys
from compare_gan.startup import prepare_engine
prepare_engine()
from compare_gan.engine import ProgressLine
from compare_gan.main import main
ProgressLine._SECONDS_BETWEEN_LINES = 0.0
update = ProgressLine.update
def update_and_count(line, *args):
    update(line, *args)
    with open(sys.argv[1], "a") as file:
        file.write(".")
ProgressLine.update = update_and_count
main(sys.argv[2:])
"""
# Native code, then the exit status 5 if a signal came meanwhile.
_INTERRUPTED = "try:\n    deaf.wait()\nexcept KeyboardInterrupt:\n    raise SystemExit(5)"
_PATIENCE = 300  # Seconds after which a process is taken to hang.


@pytest.fixture(name="start")
def _start():
    """`start(*arguments, **options)`: a Python process that does not outlive its test."""
    processes, timers = [], []

    def start(*arguments, **options):
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=_ROOT,
            text=True,
            **dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) | options,
        )
        processes.append(process)
        # A test that reads from the process does not wait for ever.
        timers.append(threading.Timer(_PATIENCE, process.kill))
        timers[-1].start()
        return process

    yield start
    for timer in timers:
        timer.cancel()
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture(name="start_watched")
def _start_watched(start):
    """`start_watched(text, before="")`: a process that runs `text` under `interruption.Watch`.

    It has got to `deaf.wait`, which returns when a line is written to the process.
    """

    def start_watched(text, before=""):
        lines = ["import signal, sys", f"sys.path.append({str(_ROOT / 'tests')!r})", "import deaf"]
        lines += ["from compare_gan import interruption", before, "with interruption.Watch():"]
        process = start("-c", "\n".join([*lines, textwrap.indent(text, "    ")]))
        assert process.stdout.readline() == "ready\n"
        return process

    return start_watched


def _steps(run):
    return [engine.step_of(path) for path in engine.list_checkpoints(str(run / "checkpoints"))]


@pytest.mark.parametrize("number", (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1))
def test_a_signal_is_answered_at_once_and_repetitions_change_nothing(start_watched, number):
    """Fault: A signal arrives, twice within a second, while native code runs for seconds.

    Command: any, e.g. `compare_gan train`
    User sees: Received SIGTERM: …; a second signal ends the command at once.
    Exit code: 130, when the native code has returned
    Lost: nothing
    """
    process = start_watched(_INTERRUPTED)
    process.send_signal(number)
    line = process.stderr.readline()
    assert process.poll() is None  # The native code has not returned.
    name = signal.Signals(number).name
    assert line == f"Received {name}: ending; a second signal ends the command at once.\n"
    process.send_signal(number)
    assert process.communicate("go on\n", _PATIENCE) == ("", "") and process.returncode == 5


def test_a_second_signal_ends_at_once_and_says_what_is_lost(start_watched):
    """Fault: A second Ctrl-C, while native code still runs.

    Command: `compare_gan train`
    User sees: Interrupted: any steps after the last checkpoint (step 3) are lost.
    Exit code: 130, at once
    Lost: the steps since the last checkpoint
    """
    text = """
    from compare_gan.interruption import delayed
    def note(number, frame): pass
    signal.signal(signal.SIGINT, note)
    with delayed('saving', lambda: 'any steps after the last checkpoint (step 3) are lost'):
        deaf.wait()
    """
    process = start_watched(textwrap.dedent(text))
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "Received SIGINT: saving.\n"
    time.sleep(1.1)
    process.send_signal(signal.SIGHUP)  # The terminal goes too: no reason to hurry.
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(_PATIENCE) == 130  # Although the native code never returns.
    lost = "Interrupted: any steps after the last checkpoint (step 3) are lost.\n"
    assert process.stderr.read() == lost


def test_a_background_job_of_a_script_ignores_ctrl_c(start_watched):
    """Fault: Ctrl-C in a script, whose shell starts background jobs with SIGINT ignored.

    Command: `compare_gan train … &`
    User sees: nothing; at SIGTERM, Received SIGTERM: …
    Exit code: 130, after SIGTERM
    Lost: nothing
    """
    process = start_watched(_INTERRUPTED, before="signal.signal(signal.SIGINT, signal.SIG_IGN)")
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    assert (
        process.stderr.readline()
        == "Received SIGTERM: ending; a second signal ends the command at once.\n"
    )
    assert process.communicate("go on\n", _PATIENCE) == ("", "") and process.returncode == 5


@pytest.mark.parametrize("lost", ("time.sleep(10_000)", "1 / 0"), ids=("hangs", "fails"))
def test_a_second_signal_ends_whatever_becomes_of_the_search_for_what_is_lost(start_watched, lost):
    """Fault: A second Ctrl-C while the disk with the checkpoints does not respond, or is gone.

    Command: `compare_gan train`
    User sees: Interrupted: any steps after the last checkpoint are lost (if the disk is gone).
    Exit code: 130, within a second or two
    Lost: the steps since the last checkpoint
    """
    text = f"""
    import time
    from compare_gan.interruption import delayed
    def note(number, frame): pass
    signal.signal(signal.SIGINT, note)
    with delayed('saving', lambda: {lost}):
        deaf.wait()
    """
    process = start_watched(textwrap.dedent(text))
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "Received SIGINT: saving.\n"
    time.sleep(1.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(_PATIENCE) == 130
    if "sleep" not in lost:
        assert (
            process.stderr.read() == "Interrupted: any steps after the last checkpoint are lost.\n"
        )


def test_a_scheduler_that_insists_does_not_end_the_save(monkeypatch):
    """Fault: Slurm warns with SIGUSR1, then sends SIGTERM at the time limit, while a run saves.

    Command: `compare_gan train`
    User sees: Received SIGUSR1: …
    Exit code: 130
    Lost: nothing
    """
    now = [0.0]
    monkeypatch.setattr(interruption.time, "monotonic", lambda: now[0])
    second = interruption.SecondSignal()
    assert not second(signal.SIGUSR1)
    now[0] = 120.0
    assert not second(signal.SIGTERM)
    assert second(signal.SIGUSR1) and second(signal.SIGINT)


def test_a_run_goes_on_without_its_terminal_and_a_signal_saves_it(
    forks, tmp_path, tiny_run, simple_steps
):
    """Fault: Standard error and standard output are closed, then the session ends with SIGHUP.

    Command: `compare_gan train … 2>&1 | head -1`
    User sees: nothing any more
    Exit code: 130
    Lost: nothing
    """
    run, more = tmp_path / "run", (*simple_steps, "options.training_steps = 1000000")
    lengths = ("run_config.iterations_per_loop = 1000000", "run_config.sample_steps = 1000000",
               "run_config.save_checkpoints_steps = 1000000")  # fmt: skip
    bindings = [part for each in (*tiny_run, *more, *lengths) for part in ("--gin_bindings", each)]
    shown = tmp_path / "shown"
    arguments = [str(shown), "train", "--model_dir", str(run), *bindings]
    with forks.start(*arguments, code=_TALKATIVE) as process:
        timer = threading.Timer(_PATIENCE, process.kill)
        timer.daemon = True
        timer.start()
        first = iter(process.stderr.readline, "")
        assert any(line.startswith("step 1/1000000: D ") for line in first)
        process.stderr.close()
        process.stdout.close()
        before = len(shown.read_bytes()) if shown.exists() else 0
        while not shown.exists() or len(shown.read_bytes()) < before + 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        assert process.wait(_PATIENCE) == 130  # One call of all steps would have taken hours.
        timer.cancel()
    assert len(_steps(run)) == 2 and _steps(run)[1] > 1


def test_the_length_of_calls_changes_no_result(
    tmp_path, make_trainer, simple_steps, monkeypatch, eagerly
):
    """Fault: Calls of the compiled loop are cut so that signals are heard.

    Command: `compare_gan train`, with steps that take seconds
    User sees: the same weights, bit by bit, and the same scalars in log.jsonl
    Exit code: 0
    Lost: nothing
    """
    calls = []
    show = Recorder.on_call

    def count(recorder, step, history, seconds):
        calls.append(len(history["loss/generator"]))
        show(recorder, step, history, seconds)

    monkeypatch.setattr(Recorder, "on_call", count)
    values, logs = [], []
    for name, steps in (("whole", 1000), ("cut", 1)):
        monkeypatch.setattr(call_length.CallLength, "record", lambda *_: None)
        length = call_length.CallLength.__init__

        def start(self, steps=steps, length=length):
            length(self)
            self.steps = steps

        with monkeypatch.context() as patch:
            patch.setattr(call_length.CallLength, "__init__", start)
            trainer = make_trainer(
                tmp_path / name, "run_config.iterations_per_loop = 3", *simple_steps
            )
            trainer.train()
        values.append({key: v.numpy() for key, v in trainer.state.variables().items()})
        rows = [re.sub(r'"images_per_second": [^,]*', "", line)
                for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]  # fmt: skip
        logs.append(rows)
    assert calls == [3, 3, 1, 1, 1, 1, 1, 1]
    assert logs[0] == logs[1] and len(logs[0]) == 2
    for key, value in values[0].items():
        np.testing.assert_array_equal(value, values[1][key], err_msg=key)


def test_calls_become_as_long_as_three_seconds():
    """Fault: A call of the compiled loop would take minutes, and Ctrl-C with it.

    Command: `compare_gan train`
    User sees: progress every few seconds
    Exit code: 0
    Lost: nothing
    """
    for second in (1e-4, 0.02, 2.0, 10.0):
        length = call_length.CallLength()
        durations = []
        for _ in range(30):
            durations.append(length.steps * second)
            # The first call compiles for a minute: the next are not shorter for that.
            length.record(length.steps, durations[-1] + 60 * (len(durations) == 1))
        assert max(durations) <= max(3.0, second) * 1.01
        assert durations[-1] >= min(1.5, 30 * second) or length.steps == 1
    # Steps become ten times as slow: one call is longer, the next is not.
    length.record(1, 10.0)
    length.record(1, 0.01)
    assert length.steps == 10


@pytest.mark.parametrize("redirection", ("| head -1", "2>&1 | head -1", "| true", ">&- 2>&-"))
def test_a_reader_that_goes_ends_nothing(start, redirection):
    """Fault: The reader of standard output goes, or it was never open.

    Command: `compare_gan list | head -1`
    User sees: the first line
    Exit code: 0
    Lost: nothing
    """
    command = f"'{sys.executable}' -m compare_gan.main list {redirection}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=_ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == ("head" in redirection)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="There is no /dev/full.")
def test_output_that_is_not_written_is_an_error():
    """Fault: Standard output is a file on a full disk.

    Command: `compare_gan list > /mnt/full/parts.txt`
    User sees: Error: Standard output is incomplete: No space left on device.
    Exit code: 1
    Lost: that output
    """
    command = f"'{sys.executable}' -m compare_gan.main list > /dev/full"
    done = subprocess.run(["bash", "-c", command], cwd=_ROOT, capture_output=True, text=True)
    error = "Error: Standard output is incomplete: No space left on device.\n"
    assert (done.returncode, done.stderr) == (1, error)
