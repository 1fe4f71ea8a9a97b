"""Early warnings: each is provoked on purpose, and none changes the training."""

import json
import logging
from types import SimpleNamespace

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import config, engine
from compare_gan.datasets import ArraySource, Dataset, as_arrays, get_dataset
from compare_gan.gans import ModularGAN
from compare_gan.losses import MultiHinge, UNetLoss, hinge
from compare_gan.penalties import R1
from compare_gan.training.monitors import Monitors, measures, monitors
from compare_gan.training.monitors.critic import Critic
from compare_gan.training.monitors.rules import PREDICTOR, ROTATION, RULES, Training
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState
from compare_gan.training.step import TrainStep


def _noise_of(size):
    """A data set of noise: 12 training images and 40 held-out ones."""
    images = np.random.default_rng(0).integers(0, 256, (52, size, size, 1), dtype=np.uint8)
    labels = np.zeros(52, np.int32)
    parts = {"train": (images[:12], labels[:12]), "test": (images[12:], labels[12:])}
    return Dataset("noise", ArraySource.from_arrays(parts))


@pytest.fixture(name="noise")
def _noise():
    return _noise_of(8)


def _rows(path):
    return [json.loads(line) for line in (path / "monitors.jsonl").read_text().splitlines()]


def _warned(row):
    return {warning["monitor"] for warning in row["warnings"]}


def test_training_is_the_same_bit_by_bit_with_and_without_monitors(
    tmp_path, make_trainer, simple_steps, eagerly
):
    watched, not_watched = (
        make_trainer(tmp_path / str(on), f"run_config.monitors = {on}", *simple_steps)
        for on in (True, False)
    )
    for trainer in (watched, not_watched):
        trainer.train()
    for name, variable in watched.state.variables().items():
        other = not_watched.state.variables()[name]
        np.testing.assert_array_equal(variable.numpy(), other.numpy(), err_msg=name)
    rows = _rows(tmp_path / "True")
    assert [row["step"] for row in rows] == [3, 6] and not (
        tmp_path / "False/monitors.jsonl"
    ).exists()
    assert {"variety", "logit/real", "logit/held_out", "logit/fake"} <= rows[0]["values"].keys()


@pytest.mark.slow
def test_an_easy_task_for_the_discriminator_and_a_generator_that_stands_still(
    tmp_path, make_trainer
):
    options = (
        "S3GAN.g_lr = 0.0", "S3GAN.d_lr = 0.01", "loss.fn = @hinge", "D.spectral_norm = False",
        "G.batch_norm_fn = @no_batch_norm", "options.training_steps = 400",
        "run_config.iterations_per_loop = 100", "run_config.sample_steps = 100",
        "run_config.save_checkpoints_steps = 400", "options.disc_iters = 1",
    )  # fmt: skip
    make_trainer(tmp_path, *options).train()
    last = _rows(tmp_path)[-1]
    assert {"frozen_generator", "discriminator_limit", "predictor_solved"} <= _warned(last)


@pytest.mark.parametrize(
    ("warnings", "loss", "d_lr", "gamma"),
    (
        (["exploding_generator"], "wasserstein", 1e4, None),
        # Hinge has no gradient where all logits are beyond 1 and -1.
        (["dead_discriminator"], "hinge", 1.0, None),
        (["exploding_discriminator", "absurd_loss"], "wasserstein", 1e-6, 1e8),
    ),
)
def test_gradients_without_bounds_explode_or_vanish(tmp_path, tiny, warnings, loss, d_lr, gamma):
    image, label = keras.Input((4, 4, 1)), keras.Input((1,), optional=True)
    features = keras.layers.Flatten()(image)
    discriminator = keras.Model((image, label), (keras.layers.Dense(1)(features), features))
    gan = ModularGAN(
        (4, 4, 1), None, "dummy_arch", z_dim=5, loss=loss, discriminator=discriminator,
        penalties=[R1(gamma=gamma)] if gamma else [],
    )  # fmt: skip
    state = TrainState(gan, 0, OptimizationOptions(g_lr=0.0, d_lr=d_lr))
    batch = tiny.make_batch(disc_iters=1)
    data = tf.data.Dataset.from_tensors(batch).repeat()
    loop = engine.Loop(TrainStep(state), lambda num_replicas, replica_ids: data)
    monitors = Monitors(_noise_of(4), state, str(tmp_path / "monitors.jsonl"))
    samples = (255 * batch["images"].reshape(-1, 4, 4, 1)).astype(np.uint8)
    for step in (200, 300):
        monitors.collect(loop.run(100))
        found = monitors.observe(step, np.roll(samples, step, axis=1))
    assert found == warnings


def test_a_discriminator_that_learns_noise_by_heart_overfits(tmp_path, noise):
    image, label = keras.Input((8, 8, 1)), keras.Input((1,), optional=True)
    features = keras.layers.Dense(64, "relu")(keras.layers.Flatten()(image))
    logits = keras.layers.Dense(1)(features)
    discriminator = keras.Model((image, label), (logits, features))
    gan = ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4, discriminator=discriminator)
    state = TrainState(gan, seed=0)
    monitors = Monitors(noise, state, str(tmp_path / "monitors.jsonl"))
    trained = measures.as_vectors(as_arrays(noise, "train")[0]).reshape(-1, 8, 8, 1)
    batch = {
        "images": tf.constant(trained),
        "z": tf.random.stateless_normal((12, 4), (0, 0)),
        "seed": tf.zeros(2, tf.int32),
    }
    adam = keras.optimizers.Adam(0.01)
    adam.build(gan.discriminator_variables)

    @tf.autograph.experimental.do_not_convert  # That would take longer than to trace it.
    def update():
        with tf.GradientTape() as tape:
            loss = gan.discriminator_loss(batch, gan.fakes(batch)).total
        variables = gan.discriminator_variables
        adam.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    @tf.function
    def train():
        for _ in tf.range(100):
            update()

    train()
    fakes = np.asarray(gan.fakes(batch) * 255).astype(np.uint8)
    assert "overfitting" in monitors.observe(100, fakes, last=True)
    assert monitors._rows[-1]["values"]["overfitting"] > 0.5


def test_copies_and_black_and_white_images_are_found(tmp_path, noise):
    state = TrainState(ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4), seed=0)
    real = as_arrays(noise, "train")[0]
    monitors = Monitors(noise, state, str(tmp_path / "monitors.jsonl"))
    assert monitors.observe(100, real) == []
    assert monitors.observe(200, real[::-1]) == ["memorization"]
    others = as_arrays(noise, "test")[0][:12]
    assert monitors.observe(300, others, last=True) == []
    extremes = np.where(others > 127, 255, 0).astype(np.uint8)
    assert monitors.observe(400, extremes, last=True) == ["saturation"]


def test_tasks_are_solved_or_not_learned(tmp_path):
    dataset = get_dataset("synthetic", num_examples=40, image_size=8)
    state = TrainState(ModularGAN((8, 8, 3), 4, "dummy_arch", z_dim=4), seed=0)
    monitors = Monitors(dataset, state, str(tmp_path / "monitors.jsonl"))
    real = as_arrays(dataset, "test")[0]

    def observe(step, **courses):
        names = {"rotation": ROTATION, "predictor": PREDICTOR, "class_loss": "loss/class_loss"}
        history = {names[name]: np.float32(course) for name, course in courses.items()}
        norms = {
            f"gradient_norm/{n}": np.ones(2, np.float32) for n in ("generator", "discriminator")
        }
        monitors.collect(history | norms)
        return monitors.observe(step, np.roll(real, step // 100, axis=1), last=True)

    # A step without labels has an accuracy of 0 and a loss of 0, and does not count.
    assert observe(100, rotation=[1, 1], predictor=[1, 0], class_loss=[0.1, 0]) == [
        "rotation_solved", "predictor_solved",
    ]  # fmt: skip
    assert observe(200, rotation=[0.25, 0.3], predictor=[0.2, 0.3], class_loss=[1, 1]) == [
        "rotation_unsolved", "predictor_unsolved",
    ]  # fmt: skip
    assert observe(300, rotation=[0.8, 0.8], predictor=[0.8, 0.8], class_loss=[1, 1]) == []


def test_an_absurd_loss_is_reported_at_once_even_in_the_first_steps(tmp_path, noise, caplog):
    state = TrainState(ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4), seed=0)
    monitors = Monitors(noise, state, str(tmp_path / "monitors.jsonl"))
    others = as_arrays(noise, "test")[0][:12]

    def observe(step, *losses):
        names = ("generator", "discriminator")
        history = {f"gradient_norm/{name}": np.ones(len(losses), np.float32) for name in names}
        monitors.collect(history | {f"loss/{name}": np.float32(losses) for name in names})
        return monitors.observe(step, others)

    # 2**24 + 1 is not a float32; losses of 1e6 are high, but are resolved to 0.06.
    assert observe(10, 3.0, -1e6) == []
    with caplog.at_level(logging.WARNING, logger="compare_gan"):
        assert observe(20, 1.0, -1e30, 5.0) == ["absurd_loss"]
    assert "Step 20: a loss has reached 1.0e+30, where float32 no longer resolves" in caplog.text
    assert _rows(tmp_path)[-1]["values"]["largest_loss"] == pytest.approx(1e30, rel=1e-6)
    assert observe(30, 1.0, 2.0) == []


@pytest.mark.parametrize(
    ("loss", "expected"), [(hinge, 2.0), (UNetLoss("hinge"), 4.0), (MultiHinge(), 0.0)]
)
def test_the_loss_of_a_discriminator_that_guesses(loss, expected):
    """For a loss that also requests labels or features there is none."""
    gan = SimpleNamespace(loss=loss, adversarial_weight=1.0)
    assert monitors._loss_of_guessing(gan) == expected


def test_a_resumed_run_remembers_and_forgets_what_was_undone(tmp_path, noise):
    state = TrainState(ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4), seed=0)
    path, real = str(tmp_path / "monitors.jsonl"), as_arrays(noise, "train")[0]
    first = Monitors(noise, state, path)
    for step in (50, 100, 110):
        first.observe(step, real)
    with open(path, "a") as file:
        file.write('{"step": 130, "values"')  # Cut off by a kill.
    resumed = Monitors(noise, state, path, first_step=105)
    assert (tmp_path / "monitors.jsonl.damaged-1").exists()
    assert resumed.observe(110, real) == ["memorization"]
    rows = _rows(tmp_path)
    assert [row["step"] for row in rows] == [50, 100, 110]
    assert [row["since"] for row in rows] == [{}, {"memorization": 100}, {"memorization": 100}]


def test_an_error_of_a_monitor_does_not_end_the_training(tmp_path, noise, caplog):
    state = TrainState(ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4), seed=0)
    monitors = Monitors(noise, state, str(tmp_path / "monitors.jsonl"))
    with caplog.at_level(logging.WARNING, logger="compare_gan"):
        assert monitors.observe(1, np.zeros((3, 5), np.uint8)) == []
    assert "Early warnings are disabled from step 1" in caplog.text


def test_the_critic_judges_as_training_does_and_changes_nothing():
    gin.bind_parameter("D.spectral_norm", True)
    gan = ModularGAN((8, 8, 1), None, "dummy_arch", z_dim=4)
    before = [variable.numpy() for variable in gan.discriminator.variables]
    images = np.random.default_rng(1).random((32, 8, 8, 1), dtype=np.float32)
    first, second = Critic(gan)(images[:16], images[16:])
    for variable, value in zip(gan.discriminator.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    expected = np.asarray(gan.discriminate(images, None).logits)[:, 0]
    np.testing.assert_allclose(np.concatenate([first, second]), expected, rtol=1e-5, atol=1e-6)


def test_every_advice_is_a_binding_that_gin_accepts():
    for training in (Training(1e6, 0.0), Training(0.0, 1e-3, spectral_norm=True)):
        for rule in RULES:
            config.parse([], [rule.advice(training)])
