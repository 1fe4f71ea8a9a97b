"""Choosing the forms of convolutions: equal results, measured times, their cache, the margin."""

import json

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import backend
from compare_gan.backend import autotune, form_times, forms
from compare_gan.backend.autotune import Tuner, tuned_convolutions
from compare_gan.backend.form_times import FormTimes
from compare_gan.backend.forms import Convolution, chosen_forms, winograd_convolutions

RNG = np.random.default_rng(0)
WIDE = Convolution((64, 16, 16, 128), (3, 3, 128, 128), 1)  # Winograd by the fixed rule.
SMALL = Convolution((2, 4, 4, 3), (3, 3, 3, 5), 1)
NARROW = Convolution((64, 16, 16, 96), (3, 3, 96, 96), 1)  # Direct by the fixed rule.


@pytest.fixture(name="times")
def _times(tmp_path):
    return FormTimes(str(tmp_path / "times.json"), "here")


@pytest.fixture(name="others")
def _others(monkeypatch):
    """`others(share)`: other programs use this share of the cores during measurements."""

    def use(share):
        monkeypatch.setattr(form_times.OtherLoad, "share", lambda self: share)

    use(0.0)
    return use


def _not_called(convolution, names):
    raise AssertionError(f"{convolution} is measured.")


def _tuner(times, **seconds):
    """A tuner for which each form takes the given time, and the convolutions that it measures.

    Without times, other programs disturb the measurements.
    """
    measured = []

    def measure(convolution, names):
        measured.append(convolution)
        return {name: seconds[name] for name in names} if seconds else None

    return Tuner(times=times, measure=measure), measured


def _with_gradients(x, kernel, upstream):
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = backend.conv(x, kernel)
    return [y, *tape.gradient(y, [x, kernel], upstream)]


def test_a_kernel_of_one_pixel_as_a_product_gives_the_same_with_gradients():
    shapes = ((2, 4, 3, 5), (1, 1, 5, 7), (2, 4, 3, 7))
    x, kernel, upstream = (tf.constant(RNG.standard_normal(s), tf.float32) for s in shapes)
    expected = _with_gradients(x, kernel, upstream)
    with chosen_forms(lambda convolution: "matmul"):
        found = _with_gradients(x, kernel, upstream)
        traced = tf.function(backend.conv, autograph=False).get_concrete_function(x, kernel)
    assert "Conv2D" not in {op.type for op in traced.graph.get_operations()}
    for a, b in zip(expected, found, strict=True):
        # Float32 rounding of sums of at most 24 products, relative to the largest value.
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-6 * np.abs(a).max())


@pytest.mark.parametrize(
    ("convolution", "result", "operations"),
    (
        (Convolution((2, 7, 8, 3), (3, 3, 3, 5), 1), (2, 7, 8, 5), 2 * 2 * 56 * 9 * 15),
        (Convolution((2, 8, 8, 3), (4, 4, 3, 5), 2), (2, 4, 4, 5), 2 * 2 * 16 * 16 * 15),
        (Convolution((2, 8, 8, 3), (4, 4, 5, 3), 2, True), (2, 16, 16, 5), 2 * 2 * 64 * 16 * 15),
    ),
)
def test_shape_of_the_result_and_work(convolution, result, operations):
    x, kernel = tf.zeros(convolution.image), tf.zeros(convolution.kernel)
    compute = backend.conv_transpose if convolution.transposed else backend.conv
    assert convolution.result == result == compute(x, kernel, convolution.strides).shape
    assert convolution.operations == operations


def _measure(*times):
    """The result of measuring two forms whose calls take these times, in turn, and those left."""
    left = iter(times)
    return form_times.measure(SMALL, ["direct", "winograd"], lambda call: next(left)), list(left)


def test_measuring_calls_forms_in_turn_and_takes_the_shortest_time(others):
    seconds_of_calls = iter((0.3, 0.2, 0.1, 0.4, 0.5, 0.6, 0.7))  # Of direct, winograd, direct, …

    def timer(call):
        assert tf.executing_eagerly() and np.isfinite(call()).all()
        return next(seconds_of_calls)

    seconds = {}

    @tf.function(autograph=False)
    def traced(x):
        assert not tf.executing_eagerly()
        seconds.update(form_times.measure(SMALL, ["direct", "winograd"], timer))
        return x

    graph = traced.get_concrete_function(tf.zeros([])).graph
    assert seconds == {"direct": 0.1, "winograd": 0.2}
    assert list(seconds_of_calls) == [0.7]  # Three rounds: the calls took long enough.
    assert {op.type for op in graph.get_operations()} <= {"Placeholder", "Identity"}


def test_one_slow_call_rules_out_no_form(others):
    assert _measure(0.1, 9.0, 0.1, 0.05, 0.1, 0.05)[0] == {"direct": 0.1, "winograd": 0.05}


def test_quick_forms_are_called_more_often(others):
    seconds, left = _measure(*[0.04, 0.02] * 6)
    assert seconds == {"direct": 0.04, "winograd": 0.02}
    assert left == [0.04, 0.02]  # After five rounds, 0.3 s.


@pytest.mark.parametrize(("share", "used"), ((0.05, True), (0.3, False)))
def test_times_under_other_load_are_not_used(others, share, used):
    others(share)
    seconds, _ = _measure(0.1, 0.2, 0.1, 0.2, 0.1, 0.2)
    assert seconds == ({"direct": 0.1, "winograd": 0.2} if used else None)


def test_under_other_load_the_fixed_rule_applies_and_nothing_is_cached(times):
    times.add(NARROW, {"direct": 1.0, "winograd": 0.5})
    tuner, measured = _tuner(times)
    wider = Convolution((64, 16, 16, 256), (3, 3, 256, 256), 1)
    assert tuner(WIDE) == tuner(wider) == "winograd"  # The rule's.
    assert tuner(NARROW) == "winograd"  # Its times were cached before.
    assert measured == [WIDE]  # After that nothing is measured.
    assert tuner.forms == {str(each): "winograd" for each in (WIDE, wider, NARROW)}
    assert "1 cached, 2 by the fixed rule because of other load" in str(tuner)
    assert times.of(WIDE, ["direct"]) is None
    again, measured = _tuner(times, direct=1.0, winograd=2.0)
    assert again(WIDE) == "direct" and measured == [WIDE]


def test_a_tuner_by_the_rule_records_its_forms_and_measures_nothing(times):
    times.add(WIDE, {"direct": 1.0, "winograd": 2.0})
    tuner = Tuner({str(NARROW): "winograd"}, times, _not_called, by_rule=True)
    assert tuner(WIDE) == tuner(NARROW) == "winograd"
    assert tuner.forms == {str(WIDE): "winograd", str(NARROW): "winograd"}
    assert "1 recorded, 1 by the fixed rule, in 0.0 s" in str(tuner)


def test_times_belong_to_the_threads_and_flags_of_the_program(monkeypatch):
    threads = "get_intra_op_parallelism_threads"
    found = set()
    for in_program, in_environment, flags, expected in (
        (0, "7", "", "7 threads"),
        (5, "7", "", "5 threads"),  # What the program has set counts.
        (5, "7", "--xla_cpu_enable_fast_math=true", "XLA_FLAGS --xla_cpu_enable_fast_math=true"),
        (0, "", "", f"{form_times.available_cores()} threads"),
    ):
        monkeypatch.setattr(tf.config.threading, threads, lambda count=in_program: count)
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", in_environment)
        monkeypatch.setenv("XLA_FLAGS", flags)
        machine = form_times.this_machine()
        assert expected in machine.split(", ")
        assert bool(flags) == ("XLA_FLAGS" in machine)
        found.add(machine)
    assert len(found) == 4


def test_measuring_draws_nothing_from_the_state_of_random_numbers():
    tf.random.set_seed(3)
    before = tf.random.normal([4])
    tf.random.set_seed(3)
    form_times.measure(SMALL, ["direct"])
    np.testing.assert_array_equal(tf.random.normal([4]), before)


@pytest.mark.parametrize(
    ("convolution", "seconds", "form"),
    (
        (WIDE, {"direct": 1.0, "winograd": 1.5}, "direct"),
        (WIDE, {"direct": 1.0, "winograd": 1.04}, "winograd"),  # The rule's, within the margin.
        (NARROW, {"direct": 1.0, "winograd": 0.88}, "winograd"),
        (NARROW, {"direct": 1.0, "winograd": 0.92}, "direct"),
    ),
)
def test_the_fastest_form_is_taken_if_it_wins_by_the_margin(times, convolution, seconds, form):
    tuner, measured = _tuner(times, **seconds)
    assert tuner(convolution) == tuner(convolution) == form
    assert len(measured) == 1
    assert tuner.forms == {str(convolution): form}
    changed = int(form != forms.fixed_form(convolution))
    assert "Forms of large convolutions: 1 measured, in " in str(tuner)
    assert str(tuner).endswith(
        ("0 differ from the fixed rule.", "1 differs from the fixed rule.")[changed]
    )


@pytest.mark.parametrize(
    "convolution",
    (
        Convolution((1, 16, 16, 128), (3, 3, 128, 128), 1),  # Little work.
        Convolution((64, 32, 32, 64), (3, 3, 64, 64), 1),  # Few channels.
        Convolution((64, 15, 16, 128), (3, 3, 128, 128), 1),  # There is no other form.
        Convolution((64, 16, 16, 128), (5, 5, 128, 128), 1),
    ),
)
def test_others_are_not_measured(times, convolution):
    tuner = Tuner(times=times, measure=_not_called)
    assert tuner(convolution) == "direct" and not tuner.choices


def test_large_batches_are_measured_as_smaller_ones(times, monkeypatch):
    monkeypatch.setattr(form_times, "num_threads", lambda: 1)
    tuner, measured = _tuner(times, direct=2.0, winograd=1.0)
    for batch in (1024, 128, 48, 32):
        tuner(Convolution((batch, *WIDE.image[1:]), WIDE.kernel, 1))
    # 75.5 million operations an image, so that 4e9 are 53 of them.
    assert [each.image[0] for each in measured] == [32, 48]
    assert {choice.form for choice in tuner.choices.values()} == {"winograd"}
    assert len(tuner.choices) == 4


def test_cached_times_are_used_instead_of_measuring(times, tmp_path):
    first, _ = _tuner(times, direct=1.0, winograd=2.0)
    assert first(WIDE) == "direct"
    again = Tuner(times=FormTimes(str(tmp_path / "times.json"), "here"), measure=_not_called)
    assert again(WIDE) == "direct"
    assert again.choices[WIDE].origin == "cached" and again.seconds == 0
    elsewhere, measured = _tuner(
        FormTimes(str(tmp_path / "times.json"), "elsewhere"), direct=2.0, winograd=1.0
    )
    assert elsewhere(WIDE) == "winograd" and measured == [WIDE]
    assert Tuner(times=times, measure=_not_called)(WIDE) == "direct"  # Both are in the file.


def test_times_that_lack_a_form_are_not_used(times):
    times.add(WIDE, {"direct": 1.0})
    tuner, measured = _tuner(times, direct=2.0, winograd=1.0)
    assert tuner(WIDE) == "winograd" and measured == [WIDE]


@pytest.mark.parametrize(
    "content",
    (
        "",
        "{",
        "[]",
        '{"here": 3}',
        f'{{"here": {{"{WIDE}": 3}}}}',
        f'{{"here": {{"{WIDE}": {{"direct": "slow", "winograd": 1}}}}}}',
    ),
)
def test_a_damaged_cache_is_measured_anew(times, tmp_path, content):
    (tmp_path / "times.json").write_text(content)
    tuner, measured = _tuner(times, direct=1.0, winograd=2.0)
    assert tuner(WIDE) == "direct" and measured == [WIDE]
    assert Tuner(times=times, measure=_not_called)(WIDE) == "direct"
    stored = json.loads((tmp_path / "times.json").read_text())
    assert stored["here"][str(WIDE)] == {"direct": 1.0, "winograd": 2.0}


def test_without_a_place_for_the_cache_convolutions_are_still_measured(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    times = FormTimes(str(tmp_path / "file" / "times.json"), "here")
    tuner, measured = _tuner(times, direct=1.0, winograd=2.0)
    assert tuner(WIDE) == "direct" and measured == [WIDE]
    assert "cannot be cached" in caplog.text


def test_recorded_forms_precede_times(times):
    times.add(WIDE, {"direct": 1.0, "winograd": 2.0})
    small = Convolution((2, 4, 4, 3), (3, 3, 3, 3), 1)
    tuner = Tuner({str(WIDE): "winograd", str(small): "winograd"}, times, _not_called)
    assert tuner(WIDE) == tuner(small) == "winograd"
    assert tuner.choices[WIDE].origin == "recorded"
    unknown = Tuner({str(WIDE): "fourier"}, times, _not_called)
    assert unknown(WIDE) == "direct"  # By the cached times.


def test_steps_are_traced_in_the_chosen_forms(times, tmp_path, monkeypatch):
    monkeypatch.setattr(autotune, "_MIN_OPERATIONS", 0)
    x, kernel = tf.zeros([2, 4, 4, 3]), tf.zeros([1, 1, 3, 5])

    def types(context):
        function = tf.function(lambda: backend.conv(x, kernel), autograph=False)
        with context:
            graph = function.get_concrete_function().graph
        return {op.type for op in graph.get_operations()}

    tuner, measured = _tuner(times, direct=2.0, matmul=1.0)
    assert "MatMul" in types(tuned_convolutions(tuner)) and len(measured) == 1
    slower, _ = _tuner(FormTimes(str(tmp_path / "others.json")), direct=1.0, matmul=2.0)
    assert "Conv2D" in types(tuned_convolutions(slower))
    with tuned_convolutions(tuner):
        assert "Conv2D" in types(winograd_convolutions(False))


def test_functions_that_run_eagerly_are_not_measured(times, eagerly):
    assert Tuner(times=times, measure=_not_called)(WIDE) == "winograd"  # The fixed rule.
