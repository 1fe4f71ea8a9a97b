"""Records reach a tracker once and in order, and no fault of a tracker reaches the run."""

import json
import logging
import threading

import pytest

from compare_gan import config, registry
from compare_gan.config.changes import changes
from compare_gan.errors import DivergenceError, UserError
from compare_gan.evaluation.results import ResultRow
from compare_gan.evaluation.results_file import ResultsFile
from compare_gan.training import RunDir
from compare_gan.training.experiment import Experiment
from compare_gan.training.modes import EvaluationPlan, evaluate, run
from compare_gan.training.trackers import Tracker, feed
from compare_gan.training.trackers.run_trackers import RunTrackers

_CONFIG = "options.z_dim = 4\nModularGAN.penalties = [@r1()]\nimport json"


class Fake(Tracker):
    """Remembers what it gets; `fails` names methods that raise an error."""

    def __init__(self, fails=()):
        self.fails = fails
        self.calls = []
        self.runs = []
        self.threads = set()

    def _note(self, method, *arguments):
        self.threads.add(threading.current_thread())
        if method in self.fails:
            raise ConnectionError("no route to host.\nmore")
        self.calls.append((method, *arguments))

    def start(self, run):
        self.runs.append(run)
        self._note("start")
        return run.id or f"id of {run.name}"

    def values(self, step, values):
        self._note("values", step, values)

    def picture(self, step, name, png):
        self._note("picture", step, name, png)

    def text(self, name, content):
        self._note("text", name, content)

    def close(self, status):
        self._note("close", status)

    def of(self, method):
        return [call[1:] for call in self.calls if call[0] == method]


@pytest.fixture(name="trackers")
def _trackers(tmp_path):
    """`trackers()`: the trackers of a run, as a new process finds them."""
    (tmp_path / "run").mkdir()
    folder = tmp_path / "run"
    return lambda: RunTrackers(str(folder), ResultsFile(str(folder / "results.jsonl")))


def _row(step, fid):
    scores = {"fid": fid, "fid_standard_error": 0.5}  # The latter is no score.
    return ResultRow.from_json(
        json.dumps({"step": step, "scores": scores, "protocol": {"seeds": [0]}})
    )


def test_records_arrive_in_order_in_another_thread(trackers, tmp_path):
    fake, run_trackers = Fake(), trackers()
    with run_trackers.open(lambda: {"fake": fake}, _CONFIG):
        run_trackers.start([{"step": 5, "loss": 0.5, "gone": None}])
        with run_trackers.open(lambda: {"other": Fake()}, ""):  # As in `Trainer.train`.
            run_trackers.values(10, {"loss": 1.0, "nan": float("nan")})
            run_trackers.values(10, {"diversity": 2.0}, prefix="monitors/")
            run_trackers.picture(10, "samples", b"png")
        ResultsFile(str(tmp_path / "run" / "results.jsonl")).add([_row(10, 1.5)])
        run_trackers.scores()
        run_trackers.scores()
    (first, *middle, text, last) = fake.calls
    assert first == ("start",) and last == ("close", "finished")
    assert middle == [
        ("text", "config.gin", _CONFIG),
        ("values", 5, {"loss": 0.5}),
        ("values", 10, {"loss": 1.0}),
        ("values", 10, {"monitors/diversity": 2.0}),
        ("picture", 10, "samples", b"png"),
        ("values", 10, {"score/fid": 1.5}),
    ]
    assert text[:2] == ("text", "results.jsonl") and json.loads(text[2])["protocol"]["seeds"] == [0]
    [about] = fake.runs
    assert (about.name, about.folder, about.id) == ("run", str(tmp_path / "run"), None)
    assert about.config.keys() == {"code_version", "options.z_dim", "ModularGAN.penalties"}
    assert about.config["ModularGAN.penalties"] == "['@r1()']"
    assert fake.threads.isdisjoint({threading.main_thread()}) and len(fake.threads) == 1
    run_trackers.values(20, {"loss": 1.0})  # Nothing after the end.
    assert fake.calls[-1] == last


def test_a_resumed_run_goes_on_under_its_id_and_repeats_nothing(trackers, tmp_path):
    results = ResultsFile(str(tmp_path / "run" / "results.jsonl"))
    with trackers().open(lambda: {"fake": Fake()}, _CONFIG):
        pass  # Nothing was recorded: the tracker has not seen the run.
    assert not (tmp_path / "run" / "trackers.json").exists()

    first = trackers()
    with pytest.raises(DivergenceError), first.open(lambda: {"fake": Fake()}, _CONFIG):
        for step in (5, 10, 15):
            first.values(step, {"loss": step})
        first.picture(10, "samples", b"png")
        raise DivergenceError("broken")
    results.add([_row(10, 1.5)])  # By another process.

    fake, second = Fake(), trackers()
    with pytest.raises(KeyboardInterrupt), second.open(lambda: {"fake": fake}, _CONFIG):
        second.start([{"step": 5, "loss": 5}, {"step": 10, "loss": 10}])
        for step in (15, 20):  # From the checkpoint of step 10.
            second.values(step, {"loss": step})
        second.picture(10, "samples", b"png")
        second.picture(20, "samples", b"png")
        second.values(15, {"loss": -1})  # After a rollback.
        second.values(25, {"loss": 25})
        raise KeyboardInterrupt
    assert fake.runs[0].id == "id of run"
    assert fake.of("values") == [
        (10, {"score/fid": 1.5}),
        (20, {"loss": 20}),
        (25, {"loss": 25}),
    ]
    assert fake.of("picture") == [(20, "samples", b"png")]
    assert fake.of("close") == [("interrupted",)]

    # A tracker that is added later gets the log from its beginning; one that has lost the run, too.
    class Forgetful(Fake):
        def start(self, run):
            super().start(run)
            return "new"

    for late in ({"late": Fake()}, {"fake": Forgetful()}):
        third = trackers()
        with third.open(late.copy, _CONFIG):
            third.start([{"step": 5, "loss": 5}, {"step": 10, "loss": 10}])
        [added] = late.values()
        assert added.of("values") == [
            (5, {"loss": 5}),
            (10, {"loss": 10}),
            (10, {"score/fid": 1.5}),
        ]
    known = json.loads((tmp_path / "run" / "trackers.json").read_text())
    assert known["version"] == 1 and known["trackers"]["fake"]["id"] == "new"


@pytest.mark.parametrize("is_durable", [True, False])
def test_after_a_kill_a_tracker_gets_again_what_it_may_have_lost(trackers, tmp_path, is_durable):
    class Killed(Fake):
        def close(self, status):
            raise ConnectionError  # The run stays open, as after a kill.

    first = trackers()
    with first.open(lambda: {"fake": Killed()}, _CONFIG):
        first.values(5, {"loss": 5})
    fake, second = Fake(), trackers()
    fake.is_durable = is_durable
    with second.open(lambda: {"fake": fake}, _CONFIG):
        second.start([{"step": 5, "loss": 5}])
    assert fake.of("values") == ([] if is_durable else [(5, {"loss": 5})])
    third, last = Fake(), trackers()
    third.is_durable = is_durable
    with last.open(lambda: {"fake": third}, _CONFIG):
        last.start([{"step": 5, "loss": 5}])
    assert third.of("values") == []


def test_a_damaged_file_begins_a_new_run_and_is_kept(trackers, tmp_path, caplog):
    (tmp_path / "run" / "trackers.json").write_text('{"version": 1, "trackers": {"fake": 3}}')
    fake, run_trackers = Fake(), trackers()
    with run_trackers.open(lambda: {"fake": fake}, _CONFIG):
        run_trackers.values(1, {"loss": 1})
    assert fake.runs[0].id is None and "a new one" in caplog.text
    assert (tmp_path / "run" / "trackers.json.damaged-1").exists()


@pytest.mark.parametrize("slow", ["start", "values"])
def test_a_tracker_that_hangs_is_given_up(trackers, caplog, monkeypatch, slow):
    for name in ("_START_SECONDS", "_QUIET_SECONDS"):
        monkeypatch.setattr(feed, name, 0.05)
    monkeypatch.setattr("compare_gan.training.trackers.run_trackers._END_SECONDS", 0.1)
    monkeypatch.setattr(feed, "_LONGEST_QUEUE", 2)
    hangs = threading.Event()

    class Hanging(Fake):
        def _note(self, method, *arguments):
            if method == slow:
                hangs.wait()
            super()._note(method, *arguments)

    run_trackers = trackers()
    with run_trackers.open(lambda: {"hanging": Hanging()}, _CONFIG):
        for step in range(5):
            run_trackers.values(step, {"loss": 1.0})
    hangs.set()
    warnings = [each for each in caplog.records if each.levelno == logging.WARNING]
    words = {"start": "not started in time", "values": "slower than the run"}[slow]
    assert len(warnings) == 1 and words in warnings[0].getMessage()


@pytest.fixture(name="recorded")
def _recorded(monkeypatch):
    """The trackers that runs make by the name `fake`; the kind is as before afterwards."""
    registry.load("tracker")
    monkeypatch.setitem(registry._components, "tracker", dict(registry._components["tracker"]))
    made = []

    def fake():
        made.append(Fake())
        return made[-1]

    registry.add("tracker", "fake", fake, summary="A tracker of a test.")
    return made


def test_options_in_gin(recorded):
    text = [
        "run_config.trackers = ['fake', @mlflow]",
        "mlflow.experiment = 'losses'",
        "mlflow.uri = 'sqlite:///runs.db'",
        "options.gan_class = @ModularGAN",
        "options.architecture = 'dummy_arch'",
        "options.batch_size = 4",
        "options.training_steps = 1",
        "dataset.name = 'synthetic'",
    ]
    config.parse([], text)
    made = Experiment.from_gin().make_trackers()
    assert list(made) == ["fake", "MLflowTracker"]
    assert made["MLflowTracker"].__dict__ == {"_experiment": "losses", "_uri": "sqlite:///runs.db"}
    # A run may get other trackers and other options of theirs when it is resumed.
    [one, other] = changes("\n".join(text[:2]), "run_config.trackers = []")
    assert one.is_free and other.is_free
    config.parse([], [*text, "run_config.trackers = ['mlflw']"])
    with pytest.raises(UserError, match="mlflow"):
        Experiment.from_gin()


def test_a_training_its_evaluation_and_a_later_one(
    recorded, tiny_run, simple_steps, tmp_path, eagerly
):
    more = [
        *simple_steps,
        "run_config.trackers = ['fake']",
        "run_config.iterations_per_loop = 1",
        "evaluation.extractor = 'fashion_cnn'",
    ]
    config.parse([], [*tiny_run, *more])
    experiment, run_dir = Experiment.from_gin(), RunDir(tmp_path / "run")
    last = experiment.options.training_steps
    plan = EvaluationPlan(averaging_runs=1)
    run("eval_after_train", experiment, run_dir, plan)
    [fake] = [each for each in recorded if each.calls]  # Others were made to check their options.
    [start, *_] = fake.calls
    assert start == ("start",) and fake.of("close") == [("finished",)]
    losses = [step for step, values in fake.of("values") if "loss/generator" in values]
    assert losses == list(range(1, last + 1))
    names = [name for name, _ in fake.of("text")]
    assert names == ["config.gin", "operative_config.gin", "results.jsonl"]
    assert {name for _, name, _ in fake.of("picture")} == {"real", "samples"}
    step, scores = fake.of("values")[-1]
    [row] = run_dir.results().read()
    assert (step, scores) == (last, {f"score/{n}": mean for n, mean in row.means.items()})

    evaluate(experiment, RunDir(tmp_path / "run"), None, plan)
    later = recorded[-1]
    assert later is not fake and later.runs[0].id == "id of run"
    assert [method for method, *_ in later.calls] == ["start", "values", "text", "close"]
