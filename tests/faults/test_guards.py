"""Two programs in one run directory, and a config that changed between two starts of a run."""

import os
import shutil
import signal
import subprocess
import sys
import threading

import eager
import numpy as np
import pytest

from compare_gan import config, engine, files, locks
from compare_gan import main as command_line
from compare_gan.engine import checkpoints as engine_checkpoints
from compare_gan.errors import UserError
from compare_gan.evaluation import score_sets
from compare_gan.training import checkpoint_scores, modes, run_lock
from compare_gan.training.experiment import Experiment
from compare_gan.training.recorder import Recorder
from compare_gan.training.run_dir import RunDir
from compare_gan.training.trainer import Trainer

# Holds a lock as `RunLock` does, without the start of TensorFlow.
_HOLDER = """
import fcntl, json, os, sys, time
file = open(sys.argv[1], "w")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(json.dumps({"version": 1, "host": sys.argv[2], "pid": os.getpid()}))
file.flush()
print("held", flush=True)
time.sleep(300)
"""
_PLAN = modes.EvaluationPlan(averaging_runs=1, every_steps=3)


@pytest.fixture(autouse=True, scope="module")
def _eager():
    """Tracing a step takes longer than the few steps of these runs."""
    with eager.eagerly():
        yield


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(name="tiny_run", scope="module")
def _tiny_run(tiny_run, simple_steps):
    return (*tiny_run, *simple_steps)


@pytest.fixture(name="make_trainer", scope="module")
def _make_trainer(make_trainer, simple_steps):
    return lambda model_dir, *bindings: make_trainer(model_dir, *simple_steps, *bindings)


@pytest.fixture(name="finished", scope="module")
def _finished(tmp_path_factory, tiny_run, _eager):
    path = str(tmp_path_factory.mktemp("finished"))
    config.parse([], tiny_run)
    Trainer(Experiment.from_gin(), RunDir(path)).train()
    return path


@pytest.fixture(name="path")
def _path(tmp_path, finished):
    """The directory of a run of six steps, with checkpoints at 0, 3 and 6."""
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture(name="command")
def _command(tiny_run, capsys):
    """`command(name, *options, bindings=…)`: exit status and standard error of a command."""

    def run(name, *options, bindings=()):
        given = [*tiny_run, *bindings] if name == "train" else bindings
        arguments = [part for binding in given for part in ("--gin_bindings", binding)]
        status = 0
        try:
            command_line.main([name, *options, *arguments])
        except SystemExit as error:
            status = error.code
        return status, capsys.readouterr().err

    return run


def _steps(path):
    return [engine.step_of(each) for each in engine.list_checkpoints(str(path / "checkpoints"))]


# Two programs in one directory.


def test_a_second_training_is_refused(path, tmp_path, command):
    """Fault: a second training starts in the directory of a running one, under another name.

    Command: compare_gan train --model_dir LINK
    User sees: "'LINK' is in use: process … on … has been training there since …"
    Exit code: 2
    Lost: nothing.
    """
    (tmp_path / "link").symlink_to(path)
    holder = [sys.executable, "-c", _HOLDER, str(path / "training.lock"), locks.host()]
    before = (path / "config.gin").read_text()
    with subprocess.Popen(holder, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        status, said = command("train", "--model_dir", str(tmp_path / "link"))
        assert status == 2 and f"link' is in use: process {other.pid} on " in said
        other.kill()
    assert (path / "config.gin").read_text() == before and _steps(path) == [0, 3, 6]


def _lose_to_another(path):
    files.write_json(str(path / "new"), {"version": 1, "host": "elsewhere", "pid": 1})
    os.replace(path / "new", path / "training.lock")


def _move(path):
    os.rename(path, path.with_name("moved"))


@pytest.mark.parametrize(
    ("lose", "beats"), ((_lose_to_another, True), (shutil.rmtree, False), (_move, False))
)
def test_a_training_that_lost_its_directory_writes_nothing_there(
    tmp_path, make_trainer, monkeypatch, request, lose, beats
):
    """Fault: the lock of a running training is deleted and another one starts; or its directory
    is removed or renamed.

    Command: rm runs/a/training.lock, rm -r runs/a or mv runs/a runs/b, during compare_gan train
    User sees: "'runs/a/training.lock' was removed or replaced while this process was training
    there: it ends without saving, because another may have started."
    Exit code: 2
    Lost: the steps of the first training since its last checkpoint.
    """
    if beats:
        monkeypatch.setattr(run_lock, "_BEAT_SECONDS", 0.01)
    # A shell starts processes in the background with SIGINT ignored.
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, previous))
    path = tmp_path / "run"
    record, found = Recorder.on_steps, []

    def lose_then_record(self, step, *args):
        if not found:
            engine_checkpoints.Checkpoints.wait(trainer.checkpoints)  # That of step 0 is complete.
            lose(path)
            found.append(sorted(map(str, tmp_path.rglob("*"))))
            if beats:
                for thread in threading.enumerate():
                    if thread.name == "run lock":  # It ends when it has found out.
                        thread.join(300)
        record(self, step, *args)

    monkeypatch.setattr(Recorder, "on_steps", lose_then_record)
    trainer = make_trainer(path)
    with pytest.raises(UserError, match=r"training\.lock' was removed or replaced .* without sav"):
        trainer.train()
    left = [each for each in map(str, tmp_path.rglob("*")) if "/tensorboard" not in each]
    assert sorted(left) == [each for each in found[0] if "/tensorboard" not in each]


def test_the_other_workers_of_a_refused_training_end_too(path, make_trainer, monkeypatch):
    """Fault: a job of several workers starts in the directory of a running training.

    Command: compare_gan train, on every worker
    User sees: the first worker as above; the others: "Another process of this run has failed, so
    this one ends too."
    Exit code: 2
    Lost: nothing.
    """
    experiment = make_trainer(path).experiment
    monkeypatch.setattr(engine, "is_chief", lambda strategy: False)
    monkeypatch.setattr(engine, "agree_on", lambda value, strategy: 1)
    with pytest.raises(UserError, match="Another process of this run has failed"):
        modes.run("train", experiment, RunDir(path), _PLAN)


@pytest.mark.parametrize("text", ("[" * 9000, '{"pid": 1e400, "host": "H"}',
                                  '{"pid": 1%s, "host": "H"}' % ("0" * 30),
                                  '{"pid": -1, "host": "H"}', '{"pid": 0, "host": "H"}',
                                  '{"pid": true, "host": "H"}', "\udcff"))  # fmt: skip
def test_a_lock_with_any_content_is_read(tmp_path, monkeypatch, text):
    """Fault: training.lock contains garbage, on a file system without locks.

    Command: compare_gan train
    User sees: nothing; the training begins.
    Exit code: 0
    Lost: nothing.
    """
    monkeypatch.setattr(locks, "lock_at_once", lambda descriptor: False)
    content = text.replace("H", locks.host()).encode(errors="surrogateescape")
    (tmp_path / "training.lock").write_bytes(content)
    with run_lock.RunLock(str(tmp_path / "training.lock")):
        assert f'"pid": {os.getpid()}' in (tmp_path / "training.lock").read_text()


def test_a_checkpoint_that_training_removes_while_it_is_read(path, monkeypatch, caplog):
    """Fault: the training removes the newest checkpoint (keep_checkpoint_max) while it is read.

    Command: compare_gan eval, sample or export
    User sees: nothing; the checkpoint that is the newest by then is used.
    Exit code: 0
    Lost: nothing.
    """
    for step in (0, 3):
        shutil.rmtree(path / "checkpoints" / f"step-{step}")
    shutil.move(path / "checkpoints" / "step-6", path / "later")
    shutil.copytree(path / "later", path / "checkpoints" / "step-5")
    open_checkpoint = engine_checkpoints._open

    def remove_then_open(name):
        if name.endswith("step-5"):
            shutil.move(path / "later", path / "checkpoints" / "step-6")
            shutil.rmtree(name)
        return open_checkpoint(name)

    monkeypatch.setattr(engine_checkpoints, "_open", remove_then_open)
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert RunDir(path).load().step == 6
    assert "damaged" not in caplog.text


def test_a_checkpoint_that_training_removes_before_it_is_scored(path, make_trainer, caplog):
    """Fault: the training removes a checkpoint (keep_checkpoint_max) before it is scored.

    Command: compare_gan train --schedule continuous_eval
    User sees: "Checkpoint '…step-3' was removed before it was scored: run_config.
    keep_checkpoint_max keeps more."
    Exit code: 0
    Lost: the scores of that checkpoint.
    """
    experiment, run = make_trainer(path).experiment, RunDir(path)
    paths = run.list_checkpoints()
    shutil.rmtree(paths[1])
    assert modes.evaluate_checkpoints(experiment, run, [paths[1]], _PLAN, skip_damaged=True) == []
    assert "step-3' was removed before it was scored" in caplog.text
    assert "damaged" not in caplog.text


def test_two_evaluations_at_once_add_each_score_once(path, make_trainer, monkeypatch, caplog):
    """Fault: two evaluations score the checkpoints of one run at once.

    Command: compare_gan train --schedule continuous_eval, twice; compare_gan eval, twice
    User sees: "The scores of step 3 are not added …: another process has added scores of this
    step with the same provenance meanwhile."
    Exit code: 0
    Lost: nothing; each step is scored once.
    """
    experiment, run = make_trainer(path).experiment, RunDir(path)
    measure, nested = checkpoint_scores._measure, []

    def measure_while_another_does(*args):
        if not nested:
            nested.append(True)
            modes.run("continuous_eval", experiment, RunDir(path), _PLAN)
        return measure(*args)

    monkeypatch.setattr(checkpoint_scores, "_measure", measure_while_another_does)
    with caplog.at_level("INFO", logger="compare_gan"):
        modes.run("continuous_eval", experiment, run, _PLAN)
    assert [row.step for row in run.results().read()] == [3, 6]
    assert "scores of step 3 are not added" in caplog.text
    assert len((path / "scores.csv").read_text().splitlines()) == 3


def test_many_processes_add_scores_at_once(tmp_path):
    """Fault: several processes write results.jsonl and scores.csv at once.

    Command: compare_gan eval, several times at once
    User sees: nothing.
    Exit code: 0
    Lost: nothing: no row, and no half line.
    """
    images = np.random.default_rng(0).integers(0, 256, (8, 4, 4, 1), dtype=np.uint8)
    row = score_sets(images, images[:4], metrics=["memorization_pixels"]).row

    def add():
        for _ in range(4):
            RunDir(tmp_path).results().add([row])

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(RunDir(tmp_path).results().read()) == 16
    assert len((tmp_path / "scores.csv").read_text().splitlines()) == 17


# A config that changed between two starts of a run.


@pytest.mark.parametrize(
    ("binding", "said"),
    (
        ("options.architecture = 'resnet_cifar_arch'",
         "options.architecture: 'dummy_arch' → 'resnet_cifar_arch'"),
        ("options.gan_class = @SSGAN", "options.gan_class: @S3GAN → @SSGAN"),
        ("options.z_dim = 5", "options.z_dim: 4 → 5"),
        ("options.disc_iters = 2", "options.disc_iters: 1 → 2"),
        ("loss.fn = @hinge", "loss.fn: not set → @hinge"),
        ("penalty.fn = @wgangp_penalty", "penalty.fn: not set → @wgangp_penalty"),
        ("S3GAN.augmentations = [@diff_augment()]",
         "S3GAN.augmentations: not set → [@diff_augment()]"),
        ("D.spectral_norm = False", "D.spectral_norm: True → False"),
        ("G.batch_norm_fn = @conditional_batch_norm",
         "G.batch_norm_fn: @batch_norm → @conditional_batch_norm"),
        ("S3GAN.conditional = False", "S3GAN.conditional: True → False"),
        ("S3GAN.g_use_ema = False", "S3GAN.g_use_ema: True → False"),
        ("S3GAN.ema_decay = 0.9", "S3GAN.ema_decay: 0.5 → 0.9"),
        ("S3GAN.g_optimizer_fn = @tf.train.AdamOptimizer\ntf.train.AdamOptimizer.beta1 = 0.1",
         "AdamOptimizer.beta1: not set → 0.1"),
        ("run_config.tf_random_seed = 4", "run_config.tf_random_seed: 3 → 4"),
        ("run_config.mixed_precision = 'bfloat16'",
         "run_config.mixed_precision: not set → 'bfloat16'"),
        ("dataset.name = 'shapes'", "dataset.name: 'synthetic' → 'shapes'"),
        ("dataset.labeled_fraction = 1.0", "dataset.labeled_fraction: 0.5 → 1.0"),
        ("synthetic.num_examples = 50", "synthetic.num_examples: 40 → 50"),
    ),
)  # fmt: skip
def test_what_a_run_does_not_go_through_is_refused(finished, tiny_run, binding, said):
    """Fault: a run is started again with another architecture, loss, data set, seed, …

    Command: compare_gan train, with the --model_dir of a run and another config
    User sees: "The run in 'runs/a' was trained with another config (options.z_dim: 4 → 5): choose
    another --model_dir, or add --allow_config_change to continue with the new one."
    Exit code: 2
    Lost: nothing; nothing is written.
    """
    lines = [each for each in tiny_run if not each.startswith(binding.split(" =")[0])]
    config.parse([], [*lines, *binding.split("\n")])
    run = RunDir(finished)
    with pytest.raises(UserError) as caught:
        run.refuse_unsuitable(config.config_text())
    sentence = str(caught.value)
    assert f"{said}" in sentence and "another --model_dir, or add --allow_config_ch" in sentence
    run.refuse_unsuitable(config.config_text(), allow_config_change=True)


@pytest.mark.parametrize(
    "binding",
    (
        "S3GAN.g_lr = 0.5",
        "S3GAN.g_lr = @cosine_decay()\ncosine_decay.initial = 0.1\ncosine_decay.steps = 10",
        "STEPS = 9\noptions.training_steps = %STEPS",
        "options.batch_size = 4",
        "options.lamba = 1",  # The default.
        "loss.fn = @non_saturating",  # The default, by reference
        "loss.fn = 'non_saturating'",  # and by name.
        "options.z_dim = %Z\nZ = 4",
        "S3GAN.weight_class_loss = 1.0",
        "run_config.save_checkpoints_steps = 9",
        "run_config.deterministic = True",
        "evaluation.metrics = ['kid']\nkid.num_subsets = 4",
        "eval_z.distribution_fn = @tf.random.normal",
        "dataset.data_dir = '/elsewhere'",
    ),
)
def test_what_a_run_may_go_through_is_not_refused(finished, tiny_run, binding):
    """Fault: a run is started again with other learning rates, periods, evaluation, …

    Command: compare_gan train, with the --model_dir of a run and another config
    User sees: "The config of this run changes at step 6: S3GAN.g_lr: not set → 0.5."
    Exit code: 0
    Lost: nothing; configs/0.gin remains beside the new configs/6.gin.
    """
    lines = [each for each in tiny_run if not each.startswith(binding.split(" =")[0])]
    config.parse([], [*lines, *binding.split("\n")])
    RunDir(finished).refuse_unsuitable(config.config_text())


def test_another_config_is_refused_with_all_differences(path, command):
    """Fault: a run is started again with several differences and another command-line option.

    Command: compare_gan train --model_dir runs/a --data_fake_dataset
    User sees: one sentence with all differences, old → new.
    Exit code: 2
    Lost: nothing; nothing is written.
    """
    before = (path / "config.gin").read_bytes(), (path / "model.json").read_bytes()
    folder = ("--model_dir", str(path))
    status, said = command(
        "train", *folder, bindings=["options.z_dim = 5", "S3GAN.g_use_ema = False"]
    )
    assert status == 2
    assert "(S3GAN.g_use_ema: True → False; options.z_dim: 4 → 5): choose another" in said
    status, said = command("train", *folder, "--data_fake_dataset")
    assert status == 2 and "(dataset: 'synthetic' → 'synthetic (fake)'): choose" in said
    assert before == ((path / "config.gin").read_bytes(), (path / "model.json").read_bytes())


def test_a_run_goes_on_with_other_learning_rates(path, command):
    """Fault: a run goes on with other learning rates: which scores come from which?

    Command: compare_gan train --model_dir runs/a, with another S3GAN.g_lr
    User sees: "The config of this run changes at step 6: S3GAN.g_lr: not set → 0.5."
    Exit code: 0
    Lost: nothing; each row of results.jsonl names its config.
    """
    old = (path / "config.gin").read_text()
    status, said = command(
        "train", "--model_dir", str(path), "--num_eval_averaging_runs", "1",
        "--eval_every_steps", "6", bindings=["S3GAN.g_lr = 0.5", "options.training_steps = 7"],
    )  # fmt: skip
    assert status == 0, said
    assert "changes at step 6: S3GAN.g_lr: not set → 0.5." in said
    assert "changes at step 6: options.training_steps: 6 → 7." in said
    configs = [(path / "configs" / name).read_text() for name in ("0.gin", "6.gin")]
    assert configs[0] == f"# Config 1 of this run, from step 0.\n{old}"
    now = (path / "config.gin").read_text()
    assert "S3GAN.g_lr = 0.5" in now
    assert configs[1] == f"# Config 2 of this run, from step 6.\n{now}"
    rows = RunDir(path).results().read()
    assert [(row.step, row.config) for row in rows] == [(6, "configs/0.gin"), (7, "configs/6.gin")]
    assert "configs/6.gin" in (path / "scores.csv").read_text()


def test_a_seed_that_was_allowed_to_change_takes_effect(path, tiny_run):
    """Fault: the seed of a run is changed: it was recorded, but had no effect.

    Command: compare_gan train --allow_config_change, with another run_config.tf_random_seed
    User sees: "The run goes on with the seed 4 from step 6; it was 3."
    Exit code: 0
    Lost: nothing.
    """
    sgd = "S3GAN.d_optimizer_fn = @tf.train.GradientDescentOptimizer"
    config.parse([], [*tiny_run, "run_config.tf_random_seed = 4", sgd])
    experiment = Experiment.from_gin()
    trainer = Trainer(experiment, RunDir(path), allow_config_change=True)
    assert (trainer.step, int(trainer.state.seed)) == (6, 4)
    trainer.run.write_description(experiment.dataset, experiment.config_text, trainer.step)
    # Killed before the next checkpoint: the seed of the config counts, not that of the checkpoint.
    again = Trainer(experiment, RunDir(path), allow_config_change=True)
    assert int(again.state.seed) == 4


def test_averages_and_optimizers_that_were_switched_on_begin_anew(tmp_path, tiny_run, caplog):
    """Fault: the moving average and another optimizer are switched on in the middle of a run.

    Command: compare_gan train --allow_config_change
    User sees: "Checkpoint '…' lacks 30 variables, which start from their initial values: ema/…"
    Exit code: 0
    Lost: nothing: the average begins with the restored weights, not with random ones.
    """
    off = [line for line in tiny_run if "ema" not in line]
    for network, optimizer in (("g", "GradientDescentOptimizer"), ("d", "AdamOptimizer")):
        off.append(f"S3GAN.{network}_optimizer_fn = @tf.train.{optimizer}")
    config.parse([], off)
    trainer = Trainer(Experiment.from_gin(), RunDir(tmp_path))
    for variable in trainer.gan.generator_variables:
        variable.assign(variable.numpy() + 1)
    trainer.state.step.assign(5)
    trainer.state.g_optimizer.iterations.assign(5)
    trainer.state.d_optimizer.iterations.assign(10)
    trainer.checkpoints.save()
    trainer.checkpoints.wait()
    config.parse([], tiny_run)
    resumed = Trainer(Experiment.from_gin(), RunDir(tmp_path), allow_config_change=True)
    assert "which start from their initial values" in caplog.text
    state = resumed.state
    assert resumed.step == 5 and len(state.ema) == len(trainer.gan.generator_variables)
    for average, weight in zip(state.ema, trainer.gan.generator_variables, strict=True):
        assert (average.numpy() == weight.numpy()).all()
    assert int(state.g_optimizer.iterations) == 0  # Adam corrects for a memory of no steps.
    assert int(state.d_optimizer.iterations) == 10


def test_an_older_checkpoint_is_rebuilt_from_its_own_config(path, tiny_run):
    """Fault: a checkpoint from before a change of the config is sampled, scored or exported.

    Command: compare_gan sample --checkpoint 3
    User sees: nothing; the network is rebuilt from the config that the checkpoint comes from.
    Exit code: 0
    Lost: nothing.
    """
    run = RunDir(path)
    config.parse([], [*tiny_run, "S3GAN.g_use_ema = False", "D.spectral_norm = False"])
    run.configs.record(config.config_text(), step=6)
    shutil.copytree(path / "checkpoints" / "step-6", path / "checkpoints" / "step-7")
    assert run.load(3).averaged and run.load(6).averaged and not run.load(7).averaged
    experiment = Experiment.from_gin()
    assert modes.restored_for_scores(experiment, run, run.find_checkpoint(3), ()).averaged


def test_too_few_training_steps_are_explained(path, command, monkeypatch):
    """Fault: options.training_steps is below the step that the run has reached.

    Command: compare_gan train --model_dir runs/a
    User sees: "No steps are trained: the run in 'runs/a' has reached step 6 already, and
    options.training_steps is 4; …" and "No checkpoint is scored: none of those … (0, 3, 6) …"
    Exit code: 0
    Lost: nothing; the config is not recorded, as it has no effect.
    """
    before = (path / "config.gin").read_bytes()
    monkeypatch.setattr(modes.time, "sleep", None)  # `continuous_eval` waited for ever.
    bindings = ["options.training_steps = 4", "S3GAN.g_lr = 0.5"]
    status, said = command("train", "--model_dir", str(path), bindings=bindings)
    assert status == 0 and "has reached step 6 already, and options.training_steps is 4" in said
    assert "(0, 3, 6) is at a multiple of --eval_every_steps, 5000, or at" in said
    status, said = command(
        "train", "--model_dir", str(path), "--schedule", "continuous_eval", bindings=bindings
    )
    assert status == 0 and "No checkpoint is scored" in said
    assert (path / "config.gin").read_bytes() == before
    assert RunDir(path).results().read() == []


@pytest.mark.parametrize("content", (b"", b"\0\0", b"\xff\xfe", None))
def test_a_damaged_config_is_found_in_the_history(path, tiny_run, content):
    """Fault: config.gin is empty, full of zeros, not UTF-8 or deleted.

    Command: compare_gan sample, eval, export or train
    User sees: "'runs/a/config.gin' is damaged: it is empty. The bindings are taken from
    'runs/a/configs/0.gin'."
    Exit code: 0
    Lost: nothing.
    """
    if content is None:
        (path / "config.gin").unlink()
    else:
        (path / "config.gin").write_bytes(content)
    run = RunDir(path)
    assert run.config.endswith("configs/0.gin")
    config.parse([], [*tiny_run, "options.z_dim = 5"])
    with pytest.raises(UserError, match="z_dim: 4 → 5"):
        run.refuse_unsuitable(config.config_text())
    if content is None:
        assert run.load().step == 6


def test_every_config_is_kept_even_from_steps_that_were_repeated(tmp_path):
    """Fault: a run falls back to an earlier checkpoint and goes on with another config.

    Command: compare_gan train, after a damaged checkpoint
    User sees: each row of results.jsonl names the config that led to its step.
    Exit code: 0
    Lost: nothing.
    """
    configs = RunDir(tmp_path).configs
    (tmp_path / "config.gin").write_text("options.z_dim = 1")  # Of an earlier version.
    configs.record("options.z_dim = 2", step=100)
    configs.record("options.z_dim = 3", step=50)
    configs.record("options.z_dim = 3", step=70)
    names = [configs.name_of(step) for step in (0, 50, 51, 100, 101, 500)]
    assert names == [f"configs/{step}.gin" for step in (0, 0, 50, 50, 50, 50)]
    configs.record("options.z_dim = 4", step=50)
    assert configs.name_of(51) == "configs/50-2.gin"
    texts = [each.read_text() for each in sorted((tmp_path / "configs").iterdir())]
    assert [text[-1] for text in texts] == ["1", "2", "4", "3"]  # 0, 100, 50-2, 50.
    assert configs.path == str(tmp_path / "config.gin")


def test_a_damaged_config_of_a_run_with_several_is_written_anew_from_them(tmp_path):
    """Fault: config.gin is empty, and a run that is finished and had several configs is started.

    Command: compare_gan train
    User sees: "'runs/a/config.gin' is damaged: it is empty. The bindings are taken from
    'runs/a/configs/5.gin'."
    Exit code: 0
    Lost: nothing: each checkpoint keeps the config that it comes from.
    """
    configs = RunDir(tmp_path).configs
    configs.record("options.z_dim = 1", step=0)
    configs.record("options.z_dim = 2", step=5)
    (tmp_path / "config.gin").write_text("")
    configs.complete("options.z_dim = 3")
    assert (tmp_path / "config.gin").read_text() == "options.z_dim = 2"
    assert [configs.name_of(step) for step in (3, 9)] == ["configs/0.gin", "configs/5.gin"]
    assert sorted(os.listdir(tmp_path / "configs")) == ["0.gin", "5.gin"]
