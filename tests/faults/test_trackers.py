"""Trackers that cannot be reached or are not installed."""

import logging

import pytest

from compare_gan.errors import UserError
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.training.trackers import MLflowTracker, Tracker, feed
from compare_gan.training.trackers.run_trackers import RunTrackers


class Counting(Tracker):
    """Counts its calls; the method of the name `fails` raises an error."""

    def __init__(self, fails=None):
        self._fails = fails
        self.calls = []

    def _note(self, method):
        if method == self._fails:
            raise ConnectionError("no route to host.\nmore")
        self.calls.append(method)

    def start(self, run):
        self._note("start")
        return "1"

    def values(self, step, values):
        self._note("values")

    def text(self, name, content):
        self._note("text")

    def close(self, status):
        self._note("close")


@pytest.mark.parametrize(
    ("method", "consequence"),
    [
        ("start", "it gets nothing of this run"),
        ("values", "records may be missing there"),
        ("close", "records may be missing there"),
    ],
)
def test_an_error_of_a_tracker_is_one_warning(tmp_path, caplog, method, consequence):
    """Fault: The server of a tracker cannot be reached, or its disk is full.

    Command: `compare_gan train` with `run_config.trackers`
    User sees: One warning with the tracker's error. The training goes on.
    Exit code: 0
    Lost: Records in that tracker; those in the run directory are complete.
    """
    broken, fine = Counting(fails=method), Counting()
    run_trackers = RunTrackers(str(tmp_path), ResultsFile(str(tmp_path / "results.jsonl")))
    with run_trackers.open(lambda: {"broken": broken, "fine": fine}, "options.z_dim = 4"):
        run_trackers.start()
        for step in range(3):
            run_trackers.values(step, {"loss": 1.0})
    assert fine.calls == ["start", "text", "values", "values", "values", "close"]
    [record] = [each for each in caplog.records if each.name == feed.__name__]
    assert record.levelno == logging.WARNING
    assert record.getMessage() == (
        f"The tracker 'broken' has failed: ConnectionError (no route to host); {consequence}."
    )


def test_a_missing_package_is_named_with_its_extra(monkeypatch, tmp_path):
    """Fault: The package of a tracker is not installed.

    Command: `compare_gan train` with `run_config.trackers = ["mlflow"]`
    User sees: One sentence with the extra to install.
    Exit code: 2
    Lost: Nothing; the training has not started.
    """
    monkeypatch.setattr(MLflowTracker, "package", "mlflow_is_missing")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    sentence = r"needs the package 'mlflow_is_missing'.*`pip install \"compare_gan\[mlflow\]\"`"
    with pytest.raises(UserError, match=sentence):
        MLflowTracker().check()
    (tmp_path / "mlflow_is_missing").mkdir()  # A folder of runs is no package.
    with pytest.raises(UserError, match=sentence):
        MLflowTracker().check()
    monkeypatch.setattr(MLflowTracker, "package", "json")
    MLflowTracker().check()
