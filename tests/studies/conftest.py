"""Small studies, and an executor whose processes train nothing."""

import json
import pathlib
import sys

import pytest

from compare_gan.studies import LocalExecutor, Study, StudyDir, define, inspection
from compare_gan.studies.display import Display
from compare_gan.studies.scheduler import Scheduler

_STUB = pathlib.Path(__file__).with_name("stub_train.py")
_BASE = "options.training_steps = 6\noptions.batch_size = 4\noptions.disc_iters = 2\n"


@pytest.fixture(name="base")
def _base(tmp_path):
    """Path of a base config."""
    path = tmp_path / "base.gin"
    path.write_text(_BASE)
    return str(path)


@pytest.fixture(name="two_losses")
def _two_losses(base):
    """`two_losses(**options)`: a study of two losses, two seeds if no others are given."""

    def make(**options):
        axes = {"loss.fn": ["@hinge", "@wasserstein"]}
        return define(**{"base": base, "axes": axes, "seeds": 2} | options)

    return make


class Stub:
    """Runs studies with processes that train nothing.

    Attributes:
      does: For runs, by name, what their processes do (see `stub_train`).
      command: The command of these processes.
      environment: Their environment variables.
    """

    command = (sys.executable, "-S", "-E", str(_STUB))

    def __init__(self, folder, monkeypatch):
        self._calls = folder / "calls.jsonl"
        self._monkeypatch = monkeypatch
        self.does = {}

    @property
    def environment(self):
        return {"STUB": json.dumps(self.does), "STUB_CALLS": str(self._calls)}

    def executor(self, workers=2):
        return LocalExecutor(workers, self.environment, self.command)

    def run(self, place, study, *, workers=2, retries=2, label_keys=None, runs=None):
        """Runs what is left of a study; returns its records by name."""
        executor = self.executor(workers)
        display = Display("study")
        scheduler = Scheduler(place, study, executor, label_keys or {}, retries, display, runs)
        return {record.name: record for record in scheduler.run()}

    @property
    def calls(self):
        """The starts of processes since the last look, oldest first."""
        if not self._calls.exists():
            return []
        lines = self._calls.read_text().splitlines()
        self._calls.unlink()
        return [json.loads(line) for line in lines]

    @property
    def names(self):
        """The names of the runs that were started since the last look."""
        return [call["name"] for call in self.calls]


@pytest.fixture(name="stub")
def _stub(tmp_path, monkeypatch):
    return Stub(tmp_path, monkeypatch)


@pytest.fixture(name="place")
def _place(tmp_path):
    """The directory of a study that has not begun."""
    return StudyDir(tmp_path / "study")


@pytest.fixture(name="search")
def _search(base, tmp_path, monkeypatch):
    """`search(**options)`: a study that searches; `folder` names its directory."""
    pytest.importorskip("optuna", reason="Optuna is not installed")
    monkeypatch.setattr(inspection, "inspect_apart", lambda *_: {})

    def make(folder="study", **options):
        given = {
            "base": base,
            "axes": {"loss.fn": ["@hinge", "@wasserstein"]},
            "search": {"ModularGAN.g_lr": ("log", 1e-5, 1e-1), "loss.margin": ("int", 1, 4)},
            "trials": 12,
            "objective": "fid",
            "search_seed": 3,
        }
        return Study(study_dir=tmp_path / folder, **given | options)

    return make
