"""The forms of convolutions of a run: chosen, recorded, taken up on resuming, described."""

import json
import os
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend, config, engine
from compare_gan.architectures import dummy
from compare_gan.backend import autotune, form_times, forms
from compare_gan.backend.form_times import FormTimes
from compare_gan.errors import UserError
from compare_gan.training import memory
from compare_gan.training.convolution_forms import ConvolutionForms
from compare_gan.training.dry_run import describe
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import RunConfig
from compare_gan.training.trainer import Experiment

KERNEL = np.random.default_rng(0).standard_normal([3, 3, 3, 3]).astype(np.float32)
IMAGE = np.random.default_rng(1).standard_normal([2, 8, 8, 3]).astype(np.float32)
NAME = "conv 2x8x8x3, kernel 3x3x3x3, stride 1"


@pytest.fixture(name="run")
def _run(tmp_path):
    return RunDir(tmp_path)


@pytest.fixture(name="file")
def _file(run):
    return run.convolutions


@pytest.fixture(name="fastest")
def _fastest(monkeypatch):
    """`fastest(name)`: small convolutions count as large, and this form of theirs as fastest."""
    monkeypatch.setattr(autotune, "_MIN_OPERATIONS", 0)
    monkeypatch.setattr(autotune, "_MIN_CHANNELS", 1)

    def set_fastest(fastest):
        seconds = {"direct": 0.5, "winograd": 0.5} | {fastest: 0.25}
        monkeypatch.setattr(FormTimes, "of", lambda self, convolution, names: seconds)

    return set_fastest


def _forms(run=None, records=False, **options):
    return ConvolutionForms(RunConfig(**options), run=run, records=records)


def _form(forms_of_run):
    """The form that a convolution gets: the direct one leaves `Conv2D` in the graph."""
    x, kernel = tf.constant(IMAGE), tf.constant(KERNEL)
    function = tf.function(lambda: backend.conv(x, kernel), autograph=False)
    with forms_of_run.active():
        graph = function.get_concrete_function().graph
    return "direct" if "Conv2D" in {op.type for op in graph.get_operations()} else "winograd"


def test_a_choice_is_recorded_and_taken_up_by_the_next_training(run, file, fastest, caplog):
    caplog.set_level("INFO", "compare_gan")
    fastest("winograd")
    assert _form(_forms(run, records=True)) == "winograd"
    assert file.read() == {NAME: "winograd"}
    assert "Forms of large convolutions: 1 cached, in 0.0 s; 1 differ" in caplog.text
    fastest("direct")
    assert _form(_forms(run, records=True)) == "winograd"
    assert "Forms of large convolutions: 1 recorded" in caplog.text
    assert _form(_forms()) == "direct"


def test_what_the_record_lacks_is_added(run, file, fastest):
    file.write({"another": "direct"})
    fastest("winograd")
    _form(_forms(run))
    assert file.read() == {"another": "direct"}  # A dry run records nothing.
    _form(_forms(run, records=True))
    assert file.read() == {"another": "direct", NAME: "winograd"}


@pytest.mark.parametrize("content", ("", "[]", '{"forms": 3}', '{"forms": {"conv": 3}}'))
def test_a_damaged_record_is_replaced(tmp_path, run, file, fastest, content, caplog):
    (tmp_path / "convolutions.json").write_text(content)
    fastest("winograd")
    assert _form(_forms(run, records=True)) == "winograd"
    assert file.read() == {NAME: "winograd"}
    assert "damaged" in caplog.text and "chosen anew" in caplog.text


def test_the_record_of_a_newer_version_is_refused_at_once(tmp_path, run):
    (tmp_path / "convolutions.json").write_text('{"version": 2, "forms": {}}')
    for allow_config_change in (False, True):
        with pytest.raises(UserError, match=r"convolutions.json' has version 2"):
            run.refuse_unsuitable("", allow_config_change)


def _train(run, step):
    """Makes the directory look like that of a run that has been trained."""
    os.makedirs(f"{run.checkpoints}/step-{step}")
    (index := open(f"{run.checkpoints}/step-{step}/index.json", "w")).close()  # noqa: SIM115
    assert index.closed and [engine.step_of(path) for path in run.list_checkpoints()] == [step]


@pytest.mark.parametrize(("step", "form"), ((0, "winograd"), (3, "direct")))
def test_a_run_that_was_trained_without_a_record_goes_on_by_the_rule(
    run, file, fastest, caplog, step, form
):
    caplog.set_level("INFO", "compare_gan")
    fastest("winograd")
    _train(run, step)
    assert _form(_forms(run)) == form and file.read() == {}
    for _ in range(2):
        assert _form(_forms(run, records=True)) == form
        assert file.read() == {NAME: form}
    assert ("1 by the fixed rule" in caplog.text) == (step > 0)


@pytest.mark.parametrize(
    ("options", "form"),
    (
        ({"autotune": False}, "winograd"),  # The fixed rule, whose limits are lowered below.
        ({"winograd": False}, "direct"),
        ({"jit_compile": True}, "direct"),
        ({"winograd": True, "autotune": False}, "winograd"),
        ({"deterministic": True}, "winograd"),
    ),
)
def test_without_measurements_the_rule_applies_and_the_record_does_not(
    run, file, fastest, monkeypatch, options, form
):
    monkeypatch.setattr(forms, "_MIN_CHANNELS", 1)
    monkeypatch.setattr(forms, "_MIN_OPERATIONS", 0)
    other = {"direct": "winograd", "winograd": "direct"}[form]
    fastest(other)
    file.write({NAME: other})
    found = _forms(run, records=True, **options)
    assert found.tuner is None and _form(found) == form
    assert file.read() == {NAME: other}


def test_a_deterministic_run_measures_if_that_is_asked_for(fastest):
    fastest("winograd")
    assert _form(_forms(deterministic=True, autotune=True)) == "winograd"
    assert _form(_forms(deterministic=True)) == "direct"


def test_several_hosts_follow_the_rule(fastest):
    fastest("winograd")
    found = ConvolutionForms(RunConfig(), several_hosts=True)
    assert found.tuner is None and _form(found) == "direct"


@pytest.fixture(name="measured")
def _measured(monkeypatch, fastest):
    """Nothing is cached; the convolutions that are measured, whose direct form is faster."""
    measured = []

    def measure(convolution, names):
        measured.append(convolution)
        return {name: 1.0 + (name == "winograd") for name in names}

    fastest("direct")
    monkeypatch.setattr(FormTimes, "of", lambda self, convolution, names: None)
    monkeypatch.setattr(FormTimes, "add", lambda self, convolution, seconds: None)
    monkeypatch.setattr(form_times, "measure", measure)
    return measured


def test_measuring_is_a_stage_of_its_own(measured):
    stages = engine.Stages()
    found = ConvolutionForms(RunConfig(), stages=stages)
    with stages.stage("trace"):
        assert _form(found) == "direct"
    assert len(measured) == 1 and list(stages.seconds) == ["trace", "convolutions"]


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
    tmp_path, make_convolving, simple_steps, fastest, eagerly
):
    def trained(steps):
        trainer = make_convolving(tmp_path, *simple_steps)
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
    # Without the record it goes on by the fixed rule, which differs in rounding.
    os.remove(tmp_path / "convolutions.json")
    fastest("winograd")
    other = _values(trained(2))
    assert any(not np.array_equal(other[name], value) for name, value in expected.items())
    assert set(RunDir(tmp_path).convolutions.read().values()) == {"direct"}


@pytest.fixture(name="described")
def _described(tiny_run, simple_steps, make_convolving):
    def described():
        config.parse([], [*tiny_run, *simple_steps])
        return describe(Experiment.from_gin())

    return described


def test_a_dry_run_lists_the_choices(described, fastest, monkeypatch):
    def lines():
        text = described().splitlines()
        return [line for line in text if line.startswith((" ", "convolutions"))]

    fastest("winograd")
    first, *others = lines()
    assert first.startswith("convolutions    Forms of ")
    assert first.endswith(f"{len(others)} differ from the fixed rule.")
    form = "kernel 3x3x3x3, stride 1: winograd (direct 500.0 ms, winograd 250.0 ms)"
    assert others and all(line.endswith(form) for line in others)
    # As the training will on several hosts, which a dry run does not wait for.
    workers = {"worker": ["a.invalid:1", "b.invalid:1"]}
    cluster = {"cluster": workers, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    assert not lines()


@pytest.mark.slow
def test_the_memory_of_a_dry_run_does_not_depend_on_the_cache(
    described, measured, fastest, monkeypatch
):
    def process():
        return re.search("process .*", described())[0]

    monkeypatch.setattr(memory, "resident_bytes", lambda: 2**30 * len(measured))
    with_measurements = process()
    assert measured
    measured.clear()
    fastest("direct")  # From the cache.
    assert process() == with_measurements and not measured
