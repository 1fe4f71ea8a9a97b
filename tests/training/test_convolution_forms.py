"""The forms of convolutions of a run: chosen, recorded, taken up on resuming, described."""

import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend, config, engine
from compare_gan.architectures import dummy
from compare_gan.backend import autotune, forms
from compare_gan.backend.form_times import FormTimes
from compare_gan.errors import UserError
from compare_gan.training.convolution_forms import ConvolutionForms
from compare_gan.training.dry_run import describe
from compare_gan.training.forms_file import FormsFile
from compare_gan.training.run_options import RunConfig
from compare_gan.training.trainer import Experiment

KERNEL = np.random.default_rng(0).standard_normal([3, 3, 3, 3]).astype(np.float32)
IMAGE = np.random.default_rng(1).standard_normal([2, 8, 8, 3]).astype(np.float32)
NAME = "conv 2x8x8x3, kernel 3x3x3x3, stride 1"


@pytest.fixture(name="file")
def _file(tmp_path):
    return FormsFile(str(tmp_path / "convolutions.json"))


@pytest.fixture(name="fastest")
def _fastest(monkeypatch):
    """`fastest(name)`: small convolutions count as large, and this form of theirs as fastest."""
    monkeypatch.setattr(autotune, "_MIN_OPERATIONS", 0)
    monkeypatch.setattr(autotune, "_MIN_CHANNELS", 1)

    def set_fastest(fastest):
        seconds = {"direct": 0.5, "winograd": 0.5} | {fastest: 0.25}
        monkeypatch.setattr(FormTimes, "of", lambda self, convolution, names: seconds)

    return set_fastest


def _forms(file=None, records=False, **options):
    strategy = engine.make_strategy("one_device")
    return ConvolutionForms(RunConfig(**options), strategy, file, records)


def _form(forms_of_run):
    """The form that a convolution gets: the direct one leaves `Conv2D` in the graph."""
    x, kernel = tf.constant(IMAGE), tf.constant(KERNEL)
    function = tf.function(lambda: backend.conv(x, kernel), autograph=False)
    with forms_of_run.active():
        graph = function.get_concrete_function().graph
    return "direct" if "Conv2D" in {op.type for op in graph.get_operations()} else "winograd"


def test_a_choice_is_recorded_and_taken_up_by_the_next_training(file, fastest, caplog):
    caplog.set_level("INFO", "compare_gan")
    fastest("winograd")
    assert _form(_forms(file, records=True)) == "winograd"
    assert file.read() == {NAME: "winograd"}
    assert "Forms of large convolutions: 1 cached, in 0.0 s; 1 differ" in caplog.text
    fastest("direct")
    assert _form(_forms(file, records=True)) == "winograd"
    assert "Forms of large convolutions: 1 recorded" in caplog.text
    assert _form(_forms()) == "direct"


def test_what_the_record_lacks_is_added(file, fastest):
    file.write({"another": "direct"})
    fastest("winograd")
    _form(_forms(file))
    assert file.read() == {"another": "direct"}  # A dry run records nothing.
    _form(_forms(file, records=True))
    assert file.read() == {"another": "direct", NAME: "winograd"}


@pytest.mark.parametrize("content", ("", "[]", '{"forms": 3}', '{"forms": {"conv": 3}}'))
def test_a_damaged_record_is_replaced(tmp_path, file, fastest, content, caplog):
    (tmp_path / "convolutions.json").write_text(content)
    fastest("winograd")
    assert _form(_forms(file, records=True)) == "winograd"
    assert file.read() == {NAME: "winograd"}
    assert "damaged" in caplog.text and "chosen anew" in caplog.text


def test_the_record_of_a_newer_version_is_refused(tmp_path, file):
    (tmp_path / "convolutions.json").write_text('{"version": 2, "forms": {}}')
    with pytest.raises(UserError, match=r"convolutions.json' has version 2"):
        _forms(file).tuner  # noqa: B018


@pytest.mark.parametrize(
    ("options", "form"),
    (
        ({"autotune": False}, "winograd"),  # The fixed rule, whose limits are lowered below.
        ({"winograd": False}, "direct"),
        ({"jit_compile": True}, "direct"),
        ({"winograd": True, "autotune": False}, "winograd"),
    ),
)
def test_without_measurements_the_rule_applies_and_the_record_does_not(
    file, fastest, monkeypatch, options, form
):
    monkeypatch.setattr(forms, "_MIN_CHANNELS", 1)
    monkeypatch.setattr(forms, "_MIN_OPERATIONS", 0)
    other = {"direct": "winograd", "winograd": "direct"}[form]
    fastest(other)
    file.write({NAME: other})
    found = _forms(file, records=True, **options)
    assert found.tuner is None and _form(found) == form
    assert file.read() == {NAME: other}


def test_several_hosts_follow_the_rule(monkeypatch, fastest):
    fastest("winograd")
    monkeypatch.setattr(engine, "on_several_hosts", lambda strategy: True)
    found = _forms()
    assert found.tuner is None and _form(found) == "direct"


@pytest.fixture(name="make_convolving")
def _make_convolving(make_trainer, monkeypatch):
    """Makes the trainer of a tiny run whose discriminator begins with a convolution."""
    call = dummy.Discriminator.call

    def convolving(self, inputs, training=None):
        x, y = inputs
        return call(self, (backend.conv(x, keras.ops.array(KERNEL)), y), training)

    monkeypatch.setattr(dummy.Discriminator, "call", convolving)
    return make_trainer


def _values(trainer):
    return {name: variable.numpy() for name, variable in trainer.state.variables().items()}


def test_a_resumed_run_is_equal_bit_by_bit_whatever_is_fastest(
    tmp_path, make_convolving, fastest, eagerly
):
    def trained(steps):
        trainer = make_convolving(tmp_path, "options.disc_iters = 1")
        trainer.run_steps(steps)
        return trainer

    fastest("winograd")
    whole = trained(1)
    whole.checkpoints.save(whole.checkpoints.copy())
    whole.checkpoints.wait()
    whole.run_steps(2)
    expected = _values(whole)
    fastest("direct")
    resumed = _values(trained(2))
    assert resumed["step"] == 3
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)
    # Without the record it differs, in rounding.
    os.remove(tmp_path / "convolutions.json")
    other = _values(trained(2))
    assert any(not np.array_equal(other[name], value) for name, value in expected.items())


def test_a_dry_run_lists_the_choices(tiny_run, make_convolving, fastest):
    def lines(*bindings):
        config.parse([], [*tiny_run, "options.disc_iters = 1", *bindings])
        text = describe(Experiment.from_gin()).splitlines()
        return [line for line in text if line.startswith((" ", "convolutions"))]

    fastest("winograd")
    first, *others = lines()
    assert first.startswith("convolutions    Forms of ")
    assert first.endswith(f"{len(others)} differ from the fixed rule.")
    form = "kernel 3x3x3x3, stride 1: winograd (direct 500.0 ms, winograd 250.0 ms)"
    assert others and all(line.endswith(form) for line in others)
    assert not lines("run_config.autotune = False")
