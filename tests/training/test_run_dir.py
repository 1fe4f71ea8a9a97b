import json
import os

import numpy as np
import pytest

from compare_gan import config
from compare_gan.datasets import get_dataset
from compare_gan.errors import UserError
from compare_gan.training.run_dir import RunDir


@pytest.fixture(name="trainer")
def _trainer(tmp_path, make_trainer, finished_run):
    finished_run(tmp_path)
    return make_trainer(tmp_path)


@pytest.mark.parametrize("use_ema", (True, False))
def test_a_trained_generator_is_restored_without_its_data(trainer, tmp_path, use_ema, monkeypatch):
    z = np.random.RandomState(0).normal(size=(5, 4)).astype(np.float32)
    y = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
    generator = trainer.state.make_sampling_generator()
    trainer.state.update_sampling_generator(generator, use_ema)
    expected = generator((z, y), training=False).numpy()
    raw = trainer.gan.generator((z, y), training=False).numpy()
    assert np.allclose(expected, raw) != use_ema

    def no_data(*args, **kwargs):
        raise AssertionError("training data is read")

    monkeypatch.setattr("compare_gan.datasets.get_dataset", no_data)
    model = RunDir(str(tmp_path)).load(use_ema=use_ema)
    np.testing.assert_array_equal(model.sampler.network((z, y), training=False), expected)
    sampler = model.sampler
    assert (model.step, sampler.z_dim, sampler.num_classes, model.averaged) == (6, 4, 4, use_ema)
    assert sampler.image_shape == (8, 8, 3)


def test_checkpoints_are_found_by_step_and_by_path(trainer, tmp_path):
    find = RunDir(str(tmp_path)).find_checkpoint
    assert find("3").endswith("step-3")
    assert find(3) == find(find(3)) == find(f"{os.path.relpath(find(3))}/")
    with pytest.raises(UserError, match="no checkpoint 4; its steps are 0, 3, 6"):
        find(4)


def test_a_damaged_newest_checkpoint_is_skipped_unless_requested(trainer, tmp_path, caplog):
    [arrays] = (tmp_path / "checkpoints" / "step-6").glob("*.npz")
    with open(arrays, "r+b") as file:
        file.truncate(100)
    with caplog.at_level("WARNING", logger="compare_gan"):
        assert RunDir(str(tmp_path)).load().step == 3
    assert "step-6' is damaged" in caplog.text
    with pytest.raises(UserError, match="step-6' is damaged"):
        RunDir(str(tmp_path)).load(6)


def test_a_changed_config_is_reported(trainer, tmp_path, tiny_run, caplog):
    dataset = trainer.experiment.dataset

    def changes(level, *bindings):
        caplog.clear()
        with caplog.at_level(level, logger="compare_gan"):
            config.parse([], [*tiny_run, *bindings])
            RunDir(tmp_path).write_description(dataset, config.config_text(), step=6)
        return caplog.text

    assert changes("WARNING", "options.training_steps = 9") == ""
    assert "training_steps: 9 → 6" in changes("INFO")
    text = changes("WARNING", "options.training_steps = 9", "loss.fn = @hinge")
    assert "config of this run changes at step 6: loss.fn: not set → @hinge." in text
    assert changes("INFO", "options.training_steps = 9", "loss.fn = 'hinge'") == ""


def test_the_description_is_plain_json(trainer, tmp_path):
    described = json.loads((tmp_path / "model.json").read_text())
    assert described["version"] == 1
    assert described["image_shape"] == [8, 8, 3] and described["num_classes"] == 4
    assert "batch_size = 8" in (tmp_path / "config.gin").read_text()


def test_other_directories_are_reported(tmp_path):
    with pytest.raises(UserError, match=r"is not a run directory: it has no config\.gin"):
        RunDir(str(tmp_path)).load()
    with pytest.raises(UserError, match=r"^There is no directory '.*nowhere'\.$"):
        RunDir(str(tmp_path / "nowhere")).load()
    with pytest.raises(UserError, match="contains no checkpoint"):
        RunDir(str(tmp_path)).find_checkpoint(1)


@pytest.mark.parametrize(
    ("count", "wanted", "steps"),
    ((3, 7, "0, 5, 10"), (40, 7, "0, …, 5, …, 195"), (40, 1000, "0, …, 195"),
     (40, "newest", "0, …, 195")),
)  # fmt: skip
def test_a_missing_checkpoint_lists_the_nearest_of_many_steps(monkeypatch, count, wanted, steps):
    paths = [f"checkpoints/step-{5 * i}" for i in range(count)]
    monkeypatch.setattr(RunDir, "list_checkpoints", lambda self: paths)
    with pytest.raises(UserError) as caught:
        RunDir("run").find_checkpoint(wanted)
    assert str(caught.value) == f"'run' has no checkpoint {wanted}; its steps are {steps}."


def test_files_without_versions_are_read(trainer, tmp_path):
    run, old = RunDir(tmp_path), {"soft": True, "accuracy on hidden labels": 0.5}
    assert run.training_labels() is None  # From the run.
    for content, read in (
        (old, {"version": 1, "soft": True, "hidden_accuracy": 0.5}),
        (None, None),
    ):
        (tmp_path / "training_labels.json").write_text(json.dumps(content))
        assert run.training_labels() == read
        run.write_training_labels(read)
        assert run.training_labels() == read
    described = json.loads((tmp_path / "model.json").read_text())
    del described["version"]
    (tmp_path / "model.json").write_text(json.dumps(described))
    assert run.load().step == 6
    (tmp_path / "DIVERGED").write_text(json.dumps({"step": 6, "terms": ["loss"]}))
    with pytest.raises(UserError, match=r"diverged at step 6 \(loss\)"):
        run.refuse_unsuitable(config_text="")


@pytest.mark.parametrize(
    ("name", "read"),
    (
        ("model.json", lambda run: run.restore(None)),
        ("model.json", lambda run: run.refuse_other_data(get_dataset("synthetic"), True)),
        ("DIVERGED", lambda run: run.refuse_unsuitable(config_text="")),
        ("training_labels.json", lambda run: run.training_labels()),
    ),
)
def test_files_of_a_newer_version_are_refused(tmp_path, name, read):
    (tmp_path / name).write_text(json.dumps({"version": 9}))
    with pytest.raises(UserError, match=rf"{name}' has version 9, but this library reads versions"):
        read(RunDir(tmp_path))


def test_a_bucket_is_refused():
    """Its name would be taken for that of a local folder, which is lost with the machine."""
    with pytest.raises(
        UserError, match=r"^'gs://b/run' is not on a disk: choose a local --model_dir"
    ):
        RunDir("gs://b/run")
