"""The images that a run has chosen: recorded, read on resume, shared with other hosts."""

import dataclasses
import json

import numpy as np
import pytest

from compare_gan import config, engine
from compare_gan.datasets import instance_selection
from compare_gan.errors import UserError
from compare_gan.training import Experiment, RunDir, Trainer
from compare_gan.training.images_file import ImageChoice, ImagesFile

OPTIONS = {"dataset": "mine", "densest_fraction": 0.5}
CHOSEN = np.array([True, False, False, True, True, False, True, False, False, True])


@pytest.fixture(name="file")
def _file(tmp_path):
    return ImagesFile(str(tmp_path / "training_images.json"))


def _not_called():
    raise AssertionError("The images are chosen anew.")


def test_a_choice_is_read_as_it_was_written(file):
    assert file.read() is None
    file.write(OPTIONS, CHOSEN)
    options, chosen = file.read()
    assert options == OPTIONS and chosen.dtype == bool
    np.testing.assert_array_equal(chosen, CHOSEN)
    found = ImageChoice(file, refuses_others=True)(OPTIONS, 10, _not_called)
    np.testing.assert_array_equal(found, CHOSEN)


@pytest.mark.parametrize("change", ({"bits": "AAA="}, {"hash": ""}, {"options": 3}, {"images": []}))
def test_a_damaged_record_is_replaced(file, change, caplog):
    file.write(OPTIONS, CHOSEN)
    with open(str(file)) as opened:
        content = json.load(opened)
    with open(str(file), "w") as opened:
        json.dump(content | change, opened)
    found = ImageChoice(file, refuses_others=True)(OPTIONS, 10, lambda: ~CHOSEN)
    np.testing.assert_array_equal(found, ~CHOSEN)
    assert "damaged" in caplog.text and "chosen anew" in caplog.text
    file.write(OPTIONS, found)
    np.testing.assert_array_equal(file.read()[1], ~CHOSEN)


@pytest.mark.parametrize(
    ("options", "count"), ((OPTIONS | {"densest_fraction": 0.7}, 10), (OPTIONS, 11))
)
def test_a_record_of_another_choice_is_refused_or_not_used(file, options, count):
    file.write(OPTIONS, CHOSEN)
    with pytest.raises(UserError, match=r"training_images.json' records a choice from 10 images"):
        ImageChoice(file, refuses_others=True)(options, count, _not_called)
    new = np.ones(count, bool)
    assert ImageChoice(file)(options, count, lambda: new) is new


@pytest.mark.parametrize("failure", (False, True))
def test_the_first_host_chooses_for_all(file, monkeypatch, failure):
    """Two processes in turn, which exchange what they would send."""
    sent = {}

    def agree_on(value, strategy):
        return sent.setdefault("refused", value)

    def of_first(values, strategy):
        return sent.setdefault("chosen", values)

    def choose():
        if failure:
            raise UserError("The weights are missing.")
        return CHOSEN

    for name, value in (("on_several_hosts", lambda _: True), ("agree_on", agree_on),
                        ("of_first", of_first)):  # fmt: skip
        monkeypatch.setattr(engine, name, value)
    choice, found = ImageChoice(file, strategy=object()), []
    sentences = {True: "The weights are missing", False: "Another process of this run has failed"}
    for chief, compute in ((True, choose), (False, _not_called)):
        monkeypatch.setattr(engine, "is_chief", lambda _, chief=chief: chief)
        if failure:
            with pytest.raises(UserError, match=sentences[chief]):
                choice(OPTIONS, 10, compute)
        else:
            found.append(choice(OPTIONS, 10, compute))
    for each in found:
        np.testing.assert_array_equal(each, CHOSEN)


class _Brightness:
    """An extractor of one feature."""

    name, weights_hash, resizer = "brightness", "", "none"

    def __call__(self, images):
        return images.mean(axis=(1, 2, 3))[:, None].astype(np.float32), None


def test_a_run_goes_on_with_its_images_where_others_would_be_chosen(
    tmp_path, tiny_run, monkeypatch
):
    def make_trainer(fraction=0.5):
        monkeypatch.setenv("COMPARE_GAN_CACHE", str(tmp_path / f"cache{len(trainers)}"))
        config.parse([], tiny_run)
        experiment = Experiment.from_gin()
        data = dataclasses.replace(
            experiment.data.dataset,
            densest_fraction=fraction,
            densest_extractor=_Brightness,
            labeled_fraction=1.0,
        )
        data = dataclasses.replace(experiment.data, dataset=data)
        experiment = dataclasses.replace(experiment, data=data)
        trainers.append(Trainer(experiment, RunDir(tmp_path / "run")))
        return trainers[-1]

    def keys(trainer):
        return trainer.experiment.dataset.source.keys("train")

    trainers = []
    first = make_trainer()
    first._provide_labels()  # As `train` does before the first step.
    scores = instance_selection.gaussian_scores
    monkeypatch.setattr(instance_selection, "gaussian_scores", lambda *args: -scores(*args))
    assert keys(make_trainer()) == keys(first)
    with pytest.raises(UserError, match=r"records a choice from .* add --allow_config_change"):
        make_trainer(0.25)
