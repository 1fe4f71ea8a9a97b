"""Times and places in `trainings.json`."""

import types

import pytest

from compare_gan import config, engine
from compare_gan.training.training_record import TrainingRecord
from compare_gan.training.trainings_file import TrainingsFile


@pytest.fixture(name="file")
def _file(tmp_path):
    return TrainingsFile(str(tmp_path / "trainings.json"))


@pytest.fixture(name="experiment")
def _experiment(tmp_path):
    (tmp_path / "base.gin").write_text("options.z_dim = 4\nG/weights.initializer = 'normal'\n")
    mine = tmp_path / "mine.gin"
    mine.write_text("include 'base.gin'\noptions.z_dim = 8\n")
    config.parse([str(mine)], ["loss.fn = @hinge"])
    return types.SimpleNamespace(bindings=config.Bindings())


def test_stages_inside_the_first_steps_count_once(file, experiment):
    stages = engine.Stages()
    stages.seconds = {"import": 3.0, "labels": 5.0}
    record = TrainingRecord(file, experiment, stages)
    record.begin(0)
    stages.seconds |= {"trace": 2.0, "compile": 1.0}
    record.add("steps", 7.0)
    record.add("steps", 1.0)
    record.add("pictures", 0.5)
    record.write(50)
    [entry] = file.read()
    assert dict(entry.seconds) == {
        "import": 3.0, "labels": 5.0, "trace": 2.0, "compile": 1.0, "steps": 5.0, "pictures": 0.5,
    }  # fmt: skip


def test_a_training_that_goes_back_is_one_training(file, experiment):
    record = TrainingRecord(file, experiment)
    record.begin(100)
    record.write(150)
    record.begin(120)  # After a rollback.
    record.write(200)
    [entry] = file.read()
    assert (entry.first_step, entry.last_step) == (100, 200)


def test_bindings_have_their_places_in_order(file, experiment):
    record = TrainingRecord(file, experiment)
    record.begin(0)
    record.write(1)
    found = [(each["parameter"], each["value"], each["place"]) for each in file.read()[0].bindings]
    names = [(name, value, place.rpartition("/")[2]) for name, value, place in found]
    assert names == [
        ("options.z_dim", "4", "base.gin, line 1"),
        ("G/weights.initializer", "'normal'", "base.gin, line 2"),
        ("options.z_dim", "8", "mine.gin, line 2"),
        ("loss.fn", "@hinge", "--gin_bindings"),
    ]
