"""Averages of any length from those in checkpoints."""

import os
import pathlib
import types

import keras
import numpy as np
import pytest

from compare_gan import engine
from compare_gan.errors import UserError
from compare_gan.layers import moving_statistics
from compare_gan.training import average_scan
from compare_gan.training.averages import Power
from compare_gan.training.post_hoc import OfHalfLife, OfLength, coefficients, find_snapshots
from compare_gan.training.run_dir import RunDir

OPTIONS = (
    "S3GAN.self_supervision = 'none'",
    "S3GAN.ema_lengths = (0.05, 0.1)",
    "S3GAN.ema_other_half_lives = (40,)",
    "standing_statistics.num_batches = 2",
    "standing_statistics.batch_size = 4",
)


@pytest.fixture(name="golden", scope="module")
def _golden():
    path = pathlib.Path(__file__).parents[1] / "data" / "averages_golden.npz"
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("case", ("posthoc", "posthoc_mid"))
def test_factors_are_those_of_the_authors(assert_golden, golden, case):
    """At 1e-6: the equations are ill-conditioned."""
    snapshots = golden["phema/posthoc/in_time"], golden["phema/posthoc/in_std"]
    targets = zip(golden[f"phema/{case}/out_time"], golden[f"phema/{case}/out_std"], strict=True)
    for column, (time, length) in enumerate(targets):
        expected = golden[f"phema/{case}/coefficients"][:, column]
        factors, _ = coefficients(*snapshots, time, length)
        assert_golden("averages", f"{case}/{column}", factors, expected, rtol=1e-6)


def test_the_misfit_is_the_distance_of_the_profiles():
    """Against a sum over 20,000 moments, whose error is 1e-8."""
    time = (np.arange(20_000) + 0.5) / 20_000 * 100

    def profile(end, length):
        gamma = Power(length).exponent
        return np.where(time < end, (gamma + 1) * time**gamma / end ** (gamma + 1), 0.0)

    steps, lengths = [50, 100, 100], [0.1, 0.05, 0.1]
    factors, misfit = coefficients(steps, lengths, 100, 0.2)
    wanted = profile(100, 0.2)
    made = sum(
        f * profile(step, length) for f, step, length in zip(factors, steps, lengths, strict=True)
    )
    expected = np.linalg.norm(made - wanted) / np.linalg.norm(wanted)
    assert misfit == pytest.approx(expected, rel=1e-7) and misfit > 0.05


def test_a_sum_of_snapshots_is_close_to_the_average_itself(golden):
    """4e-3, as with the authors' program: the method approximates."""
    times, lengths = golden["phema/e2e/snapshot_time"], golden["phema/e2e/snapshot_std"]
    for i, length in enumerate(golden["phema/e2e/target_std"]):
        factors, _ = coefficients(times, lengths, times[-1], length)
        value = factors @ golden["phema/e2e/snapshot_values"]
        assert value == pytest.approx(golden["phema/e2e/reconstructed"][i], abs=1e-6)
        assert value == pytest.approx(golden["phema/e2e/tracked_directly"][i], abs=4e-3)


@pytest.fixture(name="run", scope="module")
def _run(make_trainer, tmp_path_factory):
    """A run whose weights were drawn, not trained: checkpoints of steps 0 to 3."""
    path = str(tmp_path_factory.mktemp("run"))
    trainer = make_trainer(path, *OPTIONS)
    random, state = np.random.default_rng(0), trainer.state
    for step in range(4):
        if step:
            for variable in trainer.gan.generator_variables:
                variable.assign(random.normal(size=variable.shape))
            state.update_ema()
            state.step.assign(step)
        trainer.checkpoints.save()
    trainer.checkpoints.wait()
    trainer.run.write_description(trainer.experiment.dataset, trainer.experiment.config_text)
    return trainer


def test_a_stored_average_is_found_again(run):
    """At 1e-5: in nearly singular equations the factors of the others are 0 up to rounding."""
    newest = run.run.find_checkpoint()
    snapshots = find_snapshots(run.run, newest)
    assert [(each.step, each.length) for each in snapshots] == [
        (step, length) for step in (1, 2, 3) for length in (0.05, 0.1)
    ]
    for average, name in (
        (OfLength(0.1), "averages/length_0.1"),
        (OfHalfLife(40), "averages/half_life_40"),
    ):
        found = average.read(run.run, newest)
        assert len(found) == len(run.gan.generator_variables)
        variables = run.state.variables()
        for path, value in found.items():
            expected = variables[f"{name}/{path}"].numpy()
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_the_command_writes_a_run(run, run_command, tmp_path, eagerly):
    out = str(tmp_path / "out")
    status, said, err = run_command("ema", "--model_dir", run.run, "--length", 0.2, "--out", out)
    assert status == 0 and said.strip() == out, err
    assert "miss the profile of length 0.2 by" in err
    model = RunDir(out).load()
    assert (model.step, model.weights) == (3, "ema of length 0.2")
    _check_statistics(model, run.gan.generator)
    with pytest.raises(UserError, match=r"holds ema of length 0\.2, .*load the raw weights from"):
        RunDir(out).load(use_ema=False)
    expected = OfLength(0.2).read(run.run, run.run.find_checkpoint())
    variables = model.state.variables()
    for path, value in expected.items():
        np.testing.assert_array_equal(variables[f"ema/{path}"].numpy(), value)
    network = zip(model.sampler.network.trainable_variables, model.state.ema, strict=True)
    assert all(np.array_equal(weight, average) for weight, average in network)
    # Another checkpoint there would be of a training.
    assert RunDir(out).average.read(step=4) is None

    status, _, err = run_command("ema", "--model_dir", run.run, "--length", 0.1, "--out", out)
    assert status == 2 and "is not an empty directory: choose another --out" in err

    pathlib.Path(out, "average.json").write_text("{")
    assert RunDir(out).average.read(step=3) == "ema, not recorded which"


def test_a_directory_that_exists_is_refused_before_any_work(run, run_command, monkeypatch):
    monkeypatch.setattr(OfLength, "read", lambda *_: pytest.fail("The average was made."))
    folder = pathlib.Path(run.run.file("ema_length_0.07"))
    folder.mkdir()
    (folder / "mine").touch()
    status, _, err = run_command("ema", "--model_dir", run.run, "--length", 0.07)
    assert status == 2 and "ema_length_0.07' is not an empty directory: choose another" in err


def _check_statistics(model, trained):
    """Checks that moving averages are those of the average: equal draws give them again."""
    own = [np.array(each) for each in moving_statistics(model.sampler.network)]
    raw = [np.array(each) for each in moving_statistics(trained)]
    assert own and not any(map(np.array_equal, own, raw))
    for variable, value in zip(model.sampler.estimate_moving_statistics(), own, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5, atol=1e-6)  # Sums in float32.


def test_a_scan_scores_each_length_and_writes_the_best(run, run_command, tmp_path, eagerly):
    out = str(tmp_path / "best")
    status, said, err = run_command(
        "ema", "--model_dir", run.run, "--scan", "--length", 0.05, "--half_life", 40,
        "--num_eval_averaging_runs", 1, "--out", out,
        "--gin_bindings", "evaluation.metrics = ['memorization_pixels']",
    )  # fmt: skip
    assert status == 0, err
    assert "Step 3: 1 x 40 samples (ema of length 0.05 weights)" in said
    *_, first, second, path = said.splitlines()
    lines = {"ema of length 0.05": first, "ema of half-life 40": second}
    scores = {name: float(line.removeprefix(name).rstrip("* ")) for name, line in lines.items()}
    best = min(scores, key=scores.__getitem__)
    assert [name for name, line in lines.items() if line.endswith("*")] == [best]
    assert path == out and RunDir(out).average.read(step=3) == best
    assert os.path.isfile(run.run.file("averages.csv")) and not run.run.results().read()


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ((), "Give one --length (or --half_life)"),
        (("--length", 0.1, "--length", 0.2), "Give one --length (or --half_life)"),
        (("--length", 0.5), "--length must be between 0.001 and 0.28"),
        (("--half_life", 7), "has no average of half-life 7: train with it in"),
        (("--length", 0.1, "--gin_bindings", "a.b = 1"), "--gin_bindings needs --scan, whose"),
        (("--length", 0.1, "--data_fake_dataset"), "--data_fake_dataset needs --scan, whose"),
        (("--length", 0.1, "--num_eval_averaging_runs", 3), "--num_eval_averaging_runs needs"),
    ),
)
def test_mistakes_are_named(run, run_command, options, sentence):
    status, _, err = run_command("ema", "--model_dir", run.run, *options)
    assert status == 2 and sentence in err


def test_a_scan_checks_all_averages_before_it_scores_one(run, run_command, monkeypatch):
    monkeypatch.setattr(average_scan, "evaluate_generator", lambda *_, **__: pytest.fail("Scored."))
    status, _, err = run_command(
        "ema", "--model_dir", run.run, "--scan", "--length", 0.05, "--half_life", 7
    )
    assert status == 2 and "has no average of half-life 7: train with it in" in err


def test_a_checkpoint_without_averages_is_refused(run, tmp_path):
    step = keras.Variable(5, dtype="int32")
    state = types.SimpleNamespace(step=step, variables=lambda: {"step": step})
    checkpoints = engine.Checkpoints(state, str(tmp_path))
    path = checkpoints.save()
    checkpoints.wait()
    with pytest.raises(UserError, match=r"no averages to make others from: train with .*ema_len"):
        OfLength(0.1).read(run.run, path)
