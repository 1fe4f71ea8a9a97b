"""S3GAN on the dummy networks against NumPy: losses, gradients, options."""

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.gans import S3GAN
from compare_gan.training.optimization import OptimizationOptions

# Variants of the S3GAN paper: projection only, with hard and with soft predictions.
LABELS = {
    "own_projection": {},
    "projection": {"project_y": True},
    "hard": {"project_y": True, "use_predictor": True},
    "soft": {"project_y": True, "use_predictor": True, "use_soft_pred": True},
}
WEIGHTS = {
    "weight_rotation_loss_d": 0.7,
    "weight_rotation_loss_g": 0.3,
    "weight_class_loss": 0.6,
    "lamba": 10.0,
}


def _make(dummy, labels="hard", rotation=True, discriminator=(), penalty=None, **options):
    options["penalty"] = penalty and f"{penalty}_penalty"
    options = {"conditional": True} | LABELS[labels] | WEIGHTS | options
    if rotation:
        options["rotated_batch_fraction"] = 1
    else:
        options["self_supervision"] = "none"
    return dummy.make_gan(S3GAN, discriminator=discriminator, **options)


_TERMS = {  # All pairs of rotation, soft labels and a penalty.
    "upright-hard_labels": (False, False, None),
    "upright-soft_labels-wgangp": (False, True, "wgangp"),
    "rotation-hard_labels-wgangp": (True, False, "wgangp"),
    "rotation-soft_labels": (True, True, None),
}


@pytest.mark.parametrize(
    ("labels", "rotation", "soft", "penalty"),
    [
        pytest.param(
            labels,
            *terms,
            # Quick are all labels with the last of them, and all of them with the last labels.
            marks=[]
            if labels == list(LABELS)[-1] or name == list(_TERMS)[-1]
            else [pytest.mark.slow],
            id=f"{labels}-{name}",
        )
        for labels in LABELS
        for name, terms in _TERMS.items()
    ],
)
def test_losses_are_numpys(dummy, labels, rotation, soft, penalty):
    gan = _make(dummy, labels, rotation, use_soft_labels=soft, penalty=penalty)
    batch = dummy.make_batch(unlabelled=[1, 2, 7], soft=True)
    reference = dummy.Reference(gan, batch, num_rotated=2 if rotation else 0, penalty=penalty)
    fakes = gan.fakes(batch)
    # Sums of a few dozen float32 products, against float64.
    np.testing.assert_allclose(
        gan.discriminator_loss(batch, fakes).total,
        reference.discriminator_total(fakes.numpy()),
        rtol=1e-5,
    )
    np.testing.assert_allclose(
        gan.generator_loss(batch).total, reference.generator_total(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("split", (False, True))
def test_losses_with_batch_norm_are_numpys(dummy, split):
    """Batch moments over both halves and the rotated images, or over each half separately."""
    gan = _make(
        dummy,
        discriminator={"batch_norm_fn": dummy.BatchNorm},
        deprecated_split_disc_calls=split,
    )
    batch = dummy.make_batch(unlabelled=[1, 2, 7])
    reference = dummy.Reference(gan, batch, num_rotated=2)
    fakes = gan.fakes(batch)
    expected = reference.discriminator_total(fakes.numpy())
    np.testing.assert_allclose(gan.discriminator_loss(batch, fakes).total, expected, rtol=1e-5)
    np.testing.assert_allclose(
        gan.generator_loss(batch).total, reference.generator_total(), rtol=1e-5
    )


def test_parts_name_every_term(dummy):
    gan, batch = _make(dummy), dummy.make_batch(unlabelled=[0])
    d = gan.discriminator_loss(batch, gan.fakes(batch))
    parts = {name: float(value) for name, value in d.parts.items()}
    total = (
        parts["d_loss"]
        + 10.0 * parts["penalty"]
        + 0.7 * parts["rotation_loss_real"]
        + 0.6 * parts["class_loss"]
    )
    np.testing.assert_allclose(d.total, total, rtol=1e-6)
    g = gan.generator_loss(batch)
    expected = g.parts["g_loss"] + 0.3 * g.parts["rotation_loss_fake"]
    np.testing.assert_allclose(g.total, expected, rtol=1e-6)


def _numeric_gradient(reference, total, path, step=1e-5):
    """Central differences in float64: exact to about 1e-9 here."""
    weights, gradient = reference.weights[path], np.zeros(reference.weights[path].shape)
    for index in np.ndindex(weights.shape):
        values = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[index] += sign * step
            reference.weights[path] = moved
            values.append(total())
        gradient[index] = (values[0] - values[1]) / (2 * step)
    reference.weights[path] = weights
    return gradient


@pytest.mark.parametrize(
    ("network", "labels"),
    (
        ("discriminator", "own_projection"),
        ("discriminator", "hard"),
        ("discriminator", "soft"),
        pytest.param("generator", "own_projection", marks=pytest.mark.slow),
        pytest.param("generator", "hard", marks=pytest.mark.slow),
        ("generator", "soft"),
    ),
)
def test_gradients_are_finite_differences(dummy, labels, network):
    """All terms at once, including WGAN-GP; predicted labels are constant."""
    gan, batch = _make(dummy, labels, penalty="wgangp"), dummy.make_batch(unlabelled=[1, 2, 7])
    reference = dummy.Reference(gan, batch, num_rotated=2, penalty="wgangp")
    fakes = gan.fakes(batch)
    variables = getattr(gan, f"{network}_variables")
    with tf.GradientTape() as tape:
        if network == "discriminator":
            total = gan.discriminator_loss(batch, fakes).total
        else:
            total = gan.generator_loss(batch).total
    gradients = tape.gradient(total, [v.value for v in variables])

    def numpy_total():
        if network == "discriminator":
            return reference.discriminator_total(fakes.numpy())
        return reference.generator_total()

    for variable, gradient in zip(variables, gradients, strict=True):
        expected = _numeric_gradient(reference, numpy_total, variable.path)
        # float32 sums: 1e-5 of the largest gradient.
        np.testing.assert_allclose(
            gradient, expected, atol=1e-5 * max(1, np.abs(expected).max()), err_msg=variable.path
        )


@pytest.mark.parametrize("labels", ("hard", "soft"))
def test_predictor_learns_from_its_cross_entropy_only(dummy, labels):
    gan = _make(dummy, labels, penalty="wgangp", weight_class_loss=0.0)
    batch = dummy.make_batch(unlabelled=[1, 2, 7])
    with tf.GradientTape() as tape:
        total = gan.discriminator_loss(batch, gan.fakes(batch)).total
    variables = gan.heads["class_prediction"].trainable_variables
    for gradient in tape.gradient(total, [v.value for v in variables]):
        assert not np.any(gradient)


def test_class_loss_ignores_images_without_label(dummy):
    gan = _make(dummy)
    batch, others = (dummy.make_batch(unlabelled=[1, 2, 7]) for _ in range(2))
    others["images"][[1, 2, 7]] = np.random.RandomState(9).uniform(size=(3, *dummy.IMAGE_SHAPE))
    losses = [
        float(gan.discriminator_loss(b, gan.fakes(b)).parts["class_loss"]) for b in (batch, others)
    ]
    assert losses[0] == losses[1]


def test_an_image_without_label_and_predictor_gets_no_projection(dummy):
    """It is judged as if D were unconditional: a label of zeros adds nothing to the logit."""
    gan = _make(dummy, "projection", rotation=False)
    images = dummy.make_batch()["images"]
    logits = gan.discriminate(images, tf.zeros([8, 3])).logits
    plain, _ = gan.discriminator((images, None))
    np.testing.assert_allclose(logits, plain, rtol=1e-6)


@pytest.mark.parametrize("labels", LABELS)
def test_projection_is_never_doubled(dummy, labels):
    gan = _make(dummy, labels)
    assert gan.discriminator.project_y == (labels == "own_projection")
    assert ("projection" in gan.heads) == (labels != "own_projection")


def test_projection_on_an_architecture_that_has_none(dummy):
    gan = S3GAN(
        (8, 8, 1), 3, "dummy_arch", self_supervision="none", conditional=True, project_y=True
    )
    assert "projection" in gan.heads


def test_heads_have_the_variable_names_of_the_2019_library(dummy):
    gan = _make(dummy, discriminator={"spectral_norm": True})
    paths = {v.path for head in gan.heads.values() for v in head.variables}
    assert {path.rsplit("/", 1)[0] for path in paths} == {
        "discriminator_rotation/score_classify",
        "discriminator_predictor/predictor_linear",
        "discriminator_projection",
    }
    assert sum(path.endswith("u_var") for path in paths) == 3


def test_projection_starts_as_in_2019(dummy):
    draw = _make(dummy, "projection").heads["projection"].kernel_initializer
    assert isinstance(draw, keras.initializers.GlorotNormal)
    # 60,000 draws: five standard errors of the deviation, of 0.3 % each.
    assert np.std(draw((300, 200))) == pytest.approx(np.sqrt(2 / (300 + 200)), rel=0.015)


def test_unconditional(dummy):
    gan, batch = dummy.make_gan(S3GAN, rotated_batch_fraction=2), dummy.make_batch()
    reference = dummy.Reference(gan, batch, num_rotated=1)
    fakes = gan.fakes(batch)
    expected = reference.discriminator_total(fakes.numpy())
    np.testing.assert_allclose(gan.discriminator_loss(batch, fakes).total, expected, rtol=1e-5)
    np.testing.assert_allclose(
        gan.generator_loss(batch).total, reference.generator_total(), rtol=1e-5
    )


def test_generator_runs_once_for_each_update(dummy):
    gan, batch = _make(dummy), dummy.make_batch(unlabelled=[3])
    gan.generator.calls = gan.discriminator.calls = 0
    gan.discriminator_loss(batch, gan.fakes(batch))
    assert (gan.generator.calls, gan.discriminator.calls) == (1, 1)
    gan.generator_loss(batch)
    assert (gan.generator.calls, gan.discriminator.calls) == (2, 2)


def test_soft_labels_with_fit_label_distribution(dummy):
    """The 2019 library crashed on this combination."""
    gan = _make(dummy, use_soft_labels=True, fit_label_distribution=True)
    batch = dummy.make_batch(soft=True)
    assert gan.fit_label_distribution
    assert np.isfinite(gan.discriminator_loss(batch, gan.fakes(batch)).total)


@pytest.mark.parametrize(
    ("options", "sentence"),
    (
        ({}, "rotated_batch_fraction must be a positive integer .* received None"),
        ({"rotated_batch_fraction": 0.25}, "must be a positive integer .* received 0.25"),
        (
            {"self_supervision": "rotations"},
            "Unknown S3GAN.self_supervision 'rotations'. Did you mean 'rotation'",
        ),
        ({"g_learning_rate": 1}, "S3GAN has no parameter 'g_learning_rate'.* Known: .*generator"),
        ({"g_lr": 1}, "S3GAN has no parameter 'g_lr': it is an option of the trainer"),
        ({"use_predictr": True}, "Did you mean 'use_predictor'"),
        ({"project_y": True}, "project_y = True needs S3GAN.conditional = True"),
        (
            {"conditional": True, "use_predictor": True},
            "use_predictor = True needs S3GAN.project_y = True",
        ),
        (
            {"conditional": True, "use_soft_pred": True},
            "use_soft_pred = True needs S3GAN.use_predictor = True",
        ),
        ({"use_soft_labels": True}, "use_soft_labels = True needs S3GAN.conditional = True"),
    ),
)
def test_contradictions_are_reported(dummy, options, sentence):
    if options and "rotated_batch_fraction" not in options:
        options = {"rotated_batch_fraction": 2} | options
    with pytest.raises(UserError, match=sentence):
        dummy.make_gan(S3GAN, **options)


def test_conditional_without_classes_is_refused(dummy):
    with pytest.raises(UserError, match=r"S3GAN\.conditional is True, but the data set has no"):
        dummy.make_gan(S3GAN, num_classes=None, conditional=True, rotated_batch_fraction=2)


def test_images_that_are_not_square_are_refused(dummy):
    with pytest.raises(UserError, match="needs square images, received 4x6"):
        S3GAN((4, 6, 1), 3, dummy.Architecture(), rotated_batch_fraction=2)
    S3GAN((4, 6, 1), 3, dummy.Architecture(), self_supervision="none")


def test_unsuitable_batch_sizes_are_refused(dummy):
    gan = dummy.make_gan(S3GAN, rotated_batch_fraction=3)
    gan.check_batch_size(12)
    for size in (8, 9):
        with pytest.raises(UserError, match=f"{size}, must be a multiple of 12"):
            gan.check_batch_size(size)
    dummy.make_gan(S3GAN, self_supervision="none").check_batch_size(1)


def test_bindings_of_modular_gan_apply_to_its_subclass(dummy):
    """Configs of the 2019 library rely on it; the subclass's own bindings take precedence."""
    gin.parse_config("""
        ModularGAN.g_lr = 0.25
        ModularGAN.conditional = True
        ModularGAN.g_use_ema = False
        S3GAN.g_use_ema = True
        S3GAN.project_y = True
        S3GAN.rotated_batch_fraction = 2
    """)
    gan = dummy.make_gan(S3GAN)
    options = OptimizationOptions.of(gan)
    assert gan.conditional and gan.project_y
    assert options.g_lr == 0.25 and options.g_use_ema


def test_a_misspelled_binding_is_reported(dummy):
    gin.parse_config("S3GAN.use_predictr = True\nS3GAN.rotated_batch_fraction = 2")
    with pytest.raises(UserError, match="Did you mean 'use_predictor'"):
        dummy.make_gan(S3GAN)


def test_logits_in_inference_have_the_projection_of_the_label(dummy):
    gan = _make(dummy, "hard")
    random = np.random.default_rng(0)
    x = random.uniform(size=(3, *gan.image_shape)).astype(np.float32)
    y = np.eye(gan.num_classes, dtype=np.float32)[[0, 2, 1]]
    logits, features = gan.discriminator((x, y), training=False)
    kernel = gan.heads["projection"].kernel.numpy()
    expected = logits + np.sum((y @ kernel) * features, axis=1, keepdims=True)
    np.testing.assert_allclose(gan.logits(x, y), expected, rtol=1e-5, atol=1e-6)
