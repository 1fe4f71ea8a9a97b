"""Runs with every new kind of part: trained, saved, resumed, on one replica and with schedules."""

import types

import gin
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import engine
from compare_gan.config import parse
from compare_gan.errors import UserError
from compare_gan.training.experiment import Experiment

# Without the tasks steps of S3GAN are compiled in half the time.
WITHOUT_TASKS = ("S3GAN.self_supervision = 'none'", "S3GAN.use_predictor = False")
# In addition to the tiny run: six steps, two discriminator steps each.
MODERN = (
    *WITHOUT_TASKS,
    "D.spectral_norm = False",
    "S3GAN.loss = @hinge",
    "S3GAN.penalties = [@r1(), @lecam()]",
    "r1.gamma = @gamma/cosine_decay()",
    "gamma/cosine_decay.initial = 0.5",
    "gamma/cosine_decay.final = 0.1",
    "gamma/cosine_decay.steps = 4",
    "r1.interval = 3",
    "lecam.start_step = 2",
    "S3GAN.augmentations = [@diff_augment(), @apa()]",
    "diff_augment.policy = 'translation'",
    "apa.interval = 1",
    "apa.images = 100",
    "apa.target = -1.0",
    "S3GAN.g_lr = @lr/cosine_decay()",
    "lr/cosine_decay.initial = 0.001",
    "lr/cosine_decay.final = 0.0001",
    "lr/cosine_decay.steps = 5",
    "tf.train.AdamOptimizer.beta2 = @beta2/cosine_decay()",
    "beta2/cosine_decay.initial = 0.9",
    "beta2/cosine_decay.final = 0.99",
    "S3GAN.ema_decay = @ema/cosine_decay()",
    "ema/cosine_decay.initial = 0.25",
    "ema/cosine_decay.final = 0.75",
    "ema/cosine_decay.steps = 4",
    "run_config.deterministic = True",
)


def _values(trainer):
    return {name: variable.numpy() for name, variable in trainer.state.variables().items()}


def _one_step(trainer):
    """Eagerly: tracing takes longer."""
    [batch] = trainer.batches().take(1)
    trainer.train_step(batch)


@pytest.fixture(name="whole", scope="module")
def _whole(make_trainer, tmp_path_factory):
    """Six steps: trainer, courses of values, learning rates by call; a checkpoint of step 4."""
    folder = tmp_path_factory.mktemp("whole")
    trainer = make_trainer(folder, *MODERN)
    parts, rates = [], []
    for count in (1, 1, 1, 1, 2):
        parts.append(trainer.run_steps(count))
        optimizers = trainer.state.g_optimizer, trainer.state.d_optimizer
        rates.append([float(optimizer.learning_rate.value) for optimizer in optimizers])
        if trainer.step == 4:
            trainer.checkpoints.save()
            trainer.checkpoints.wait()
    history = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return types.SimpleNamespace(folder=folder, trainer=trainer, history=history, rates=rates)


def test_a_run_is_saved_and_resumed_bit_for_bit(whole, make_trainer):
    expected = _values(whole.trainer)
    for name in (
        "penalties/lecam/real_average",
        "penalties/lecam/fake_average",
    ):
        assert expected[name] != 0.0
    assert all(np.all(np.isfinite(course)) for course in whole.history.values())
    # It is computed in updates 0, 3, 6 and 9; each step has two and records their mean.
    assert [value > 0 for value in whole.history["loss/r1"]] == [True, True, False] * 2
    assert [value > 0 for value in whole.history["loss/lecam"]][:3] == [False] * 3
    # The probability rises from 0, by the share of 100 images in a batch, unless all signs are -1.
    p = whole.history["augmentation/apa_p"]
    assert expected["augmentations/apa/p"] == p[-1] > p[0]

    resumed = make_trainer(whole.folder, *MODERN)
    assert resumed.step == 4
    rest = resumed.run_steps(2)
    for name, course in whole.history.items():
        np.testing.assert_array_equal(rest[name], course[4:], err_msg=name)
    for name, value in _values(resumed).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_learning_rates_follow_their_schedule(whole):
    for step, rates in enumerate(whole.rates[:4]):
        expected = 0.0001 + 0.0009 * 0.5 * (1 + np.cos(np.pi * step / 5))
        np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_betas_and_the_average_follow_their_schedules(tiny):
    """Three steps of Adam and of the average against NumPy, each with the values of its step."""
    gin.parse_config("""
        options.gan_class = @ModularGAN
        ModularGAN.g_lr = 0.01
        ModularGAN.g_use_ema = True
        ModularGAN.ema_start_step = 0
        ModularGAN.ema_decay = @ema/cosine_decay()
        ema/cosine_decay.initial = 0.0
        ema/cosine_decay.final = 0.8
        ema/cosine_decay.steps = 3
        tf.train.AdamOptimizer.beta1 = 0.0
        tf.train.AdamOptimizer.beta2 = @beta/cosine_decay()
        beta/cosine_decay.initial = 0.5
        beta/cosine_decay.final = 0.9
        beta/cosine_decay.steps = 2
    """)
    state = tiny.make_state()
    optimizer, gradients = state.g_optimizer, np.random.RandomState(0).normal(size=(3, 4))
    variables = state.gan.generator_variables
    w = tf.Variable(np.zeros(4, np.float32))
    optimizer = type(optimizer)(0.01, beta_1=0.0, beta_2=optimizer.beta_2, epsilon=1e-8)
    optimizer.training_step = state.g_optimizer.training_step
    optimizer.build([w])
    second, expected, average = np.zeros(4), np.zeros(4), None
    for step, g in enumerate(gradients):
        state.step.assign(step)
        optimizer.apply([tf.constant(g, tf.float32)], [w])
        beta = 0.9 - 0.4 * 0.5 * (1 + np.cos(np.pi * min(step / 2, 1)))
        second = beta * second + (1 - beta) * g**2
        expected = expected - 0.01 * g / (np.sqrt(second / (1 - beta ** (step + 1))) + 1e-8)
        np.testing.assert_allclose(w.numpy(), expected, rtol=1e-4)

        variables[0].assign(np.full(variables[0].shape, float(step + 1)))
        state.update_ema()
        decay = 0.8 - 0.8 * 0.5 * (1 + np.cos(np.pi * min(step / 3, 1)))
        average = step + 1 if average is None else decay * average + (1 - decay) * (step + 1)
        np.testing.assert_allclose(state.ema[0].numpy(), np.full(variables[0].shape, average), 1e-5)


def test_the_step_is_traced_once_and_skips_lazy_penalties(whole):
    """No step but the due ones computes R1: the conditional is in the compiled step."""
    loop = whole.trainer.loop
    graph = loop.function.get_concrete_function(loop.iterator, tf.constant(1)).graph
    assert loop.function.experimental_get_tracing_count() == 1
    [steps] = [op for op in graph.get_operations() if op.type in ("While", "StatelessWhile")]
    library = {each.signature.name: each for each in graph.as_graph_def().library.function}
    kinds = [node.op for node in library[steps.get_attr("body").name].node_def]
    # One for each discriminator step, and one for its gradient.
    assert sum(kind in ("If", "StatelessIf") for kind in kinds) == 4


@pytest.mark.slow
def test_there_are_no_conditionals_without_lazy_penalties(make_trainer, tmp_path):
    penalties = "S3GAN.penalties = [@r1(), @lecam()]"
    trainer = make_trainer(tmp_path, *WITHOUT_TASKS, "options.disc_iters = 1", penalties)
    [batch] = trainer.batches().take(1)
    function = tf.function(trainer.train_step, autograph=False)
    graph = function.get_concrete_function(batch).graph
    assert not [op for op in graph.get_operations() if op.type in ("If", "StatelessIf")]


def test_variables_of_penalties_exist_only_with_them(make_trainer, tmp_path):
    plain = make_trainer(tmp_path / "plain", *WITHOUT_TASKS)
    assert not [name for name in plain.state.variables() if name.startswith("penalties")]
    _one_step(plain)
    path = plain.checkpoints.save()
    plain.checkpoints.wait()
    stored = engine.read_checkpoint(path)
    # A run that was started without a memory cannot be resumed with one.
    with pytest.raises(UserError, match="does not fit this config"):
        make_trainer(tmp_path / "plain", *WITHOUT_TASKS, "S3GAN.penalties = [@lecam()]")
    assert not any("lecam" in name for name in stored)


@pytest.mark.parametrize(
    ("bindings", "sentence"),
    (
        (
            ("loss.fn = @hinge", "ModularGAN.loss = @rp_gan"),
            "loss.fn and ModularGAN.loss are two spellings",
        ),
        (
            ("penalty.fn = @l2_penalty", "S3GAN.penalties = [@r1()]"),
            "penalty.fn and S3GAN.penalties are two spellings",
        ),
        (
            ("options.lamba = 10", "S3GAN.penalties = [@r1()]"),
            "options.lamba and S3GAN.penalties are two spellings",
        ),
        (
            ("DiffAugment.policy = 'color'", "S3GAN.augmentations = [@diff_augment()]"),
            "DiffAugment.policy and S3GAN.augmentations are two spellings",
        ),
    ),
)
def test_two_spellings_at_once_are_refused(tiny_run, bindings, sentence):
    parse([], [*tiny_run, *bindings])
    with pytest.raises(UserError, match=sentence):
        Experiment.from_gin()


@pytest.mark.parametrize(
    "bindings",
    (
        ("loss.fn = @hinge", "SSGAN.loss = @rp_gan"),  # Of another class.
        ("loss.fn = @non_saturating", "S3GAN.loss = @rp_gan"),  # As an operative config has it.
        ("penalty.fn = @l2_penalty", "S3GAN.penalties = ()"),
    ),
)
def test_spellings_that_do_not_contradict_each_other(tiny_run, bindings):
    parse([], [*tiny_run, *bindings])
    Experiment.from_gin()


def test_a_default_in_the_old_spelling_yields_to_the_new_one(tiny_run, caplog):
    parse([], [*tiny_run, "loss.fn = @non_saturating", "S3GAN.loss = @hinge"])
    with caplog.at_level("INFO"):
        options = Experiment.from_gin().options
    assert "loss.fn has its default value, so that S3GAN.loss applies." in caplog.text
    assert options.make_gan((8, 8, 3), 10).loss.__name__ == "hinge"


@pytest.mark.parametrize("binding", ("penalty.fn = @lecam()", "S3GAN.penalties = [@lecam()]"))
def test_a_penalty_with_memory_is_trained_in_either_spelling(make_trainer, tmp_path, binding):
    trainer = make_trainer(tmp_path, *WITHOUT_TASKS, "options.disc_iters = 1", binding)
    _one_step(trainer)
    assert _values(trainer)["penalties/lecam/real_average"] != 0.0


def test_old_spellings_fill_the_arguments(tiny_run):
    parse(
        [],
        [
            *tiny_run,
            "loss.fn = @hinge",
            "penalty.fn = @wgangp_penalty",
            "options.lamba = 10",
            "DiffAugment.policy = 'translation'",
        ],
    )
    gan = Experiment.from_gin().options.make_gan((8, 8, 3), 10)
    assert gan.loss.__name__ == "hinge"
    assert [(p.name, p.weight) for p in gan.penalties] == [("penalty", 10)]
    assert [a.operations for a in gan.augmentations] == [["translation"]]
