"""Configs that the checks accept; tests/integration/test_mistakes.py has the refused ones."""

import gin
import pytest

from compare_gan import config, registry
from compare_gan.config.checks import check_bindings
from compare_gan.errors import UserError
from compare_gan.losses import non_saturating
from compare_gan.training.checks import (
    check_gan,
    gan_without_variables,
    warn_of_another_normalization,
)
from compare_gan.training.objective import LossOptions
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.run_options import Options


@gin.configurable("make_loss", module="test_checks")
def _make_loss():
    return registry.get("loss", "hinge")


@pytest.mark.parametrize(
    "bindings",
    (
        ("loss.fn = %LOSS", "LOSS = %SAME", "SAME = @hinge"),
        ("loss.fn = @test_checks.make_loss()",),
        ("loss.fn = @test_checks.make_loss",),
        ("G.batch_norm_fn = None", "ModularGAN.d_optimizer_fn = None"),
        ("evaluation.extractor = 'auto'", "evaluation.metrics = ['fid', @inception_score]"),
    ),
)
def test_allowed_ways_to_name_parts(bindings):
    config.parse([], bindings)
    check_bindings(OptimizationOptions)


@pytest.mark.parametrize("reference", ("@multi_hinge", "@multi_hinge()"))
def test_a_loss_that_is_a_class_may_be_called_as_other_parts_are(reference):
    config.parse(
        [],
        [
            f"ModularGAN.loss = {reference}",
            "ModularGAN.conditional = True",
            "multi_hinge.g_weight = 0.2",
            "options.architecture = 'dummy_arch'",
            "options.batch_size = 4",
            "options.training_steps = 1",
            "options.gan_class = @ModularGAN",
        ],
    )
    check_bindings(OptimizationOptions)
    gan = gan_without_variables(Options.from_gin(), (8, 8, 1), num_classes=2)
    assert gan.loss.g_weight == 0.2


def test_a_second_name_of_a_part_is_one_in_gin_too():
    config.parse([], ["loss.fn = @logistic", "gan_train.steps = 7"])
    check_bindings(OptimizationOptions)
    assert LossOptions().fn is non_saturating
    assert gin.query_parameter("cas.steps") == 7


def test_an_unknown_macro_behind_another_is_reported():
    config.parse([], ["loss.fn = %LOSS", "LOSS = %HINGE"])
    with pytest.raises(UserError, match=r"Unknown macro 'HINGE'\. Known: LOSS"):
        check_bindings(OptimizationOptions)


@pytest.mark.parametrize(
    "bindings",
    (
        (),  # By default BigGAN embeds and projects labels, if there are any.
        ("resnet_biggan.Discriminator.project_y = False", "resnet_biggan.Generator.embed_y = %OFF"),
        ("ModularGAN.conditional = True", "resnet_biggan.Discriminator.project_y = True"),
    ),
)
def test_allowed_projections_and_embeddings(bindings):
    config.parse([], ["OFF = False", *bindings])
    options = Options("ModularGAN", "resnet_biggan_arch", batch_size=4, training_steps=1)
    check_gan(options, (32, 32, 3), num_classes=10)


@pytest.mark.parametrize(
    ("bindings", "warned"),
    (
        ((), False),
        (("G.batch_norm_fn = @batch_norm",), False),
        (("G.batch_norm_fn = @conditional_batch_norm",), True),
        (("G.batch_norm_fn = None",), True),
        (("G.batch_norm_fn = None", "infogan.Generator.batch_norm_fn = @batch_norm"), False),
        (("infogan.Generator.batch_norm_fn = @conditional_batch_norm",), False),
    ),
)
def test_a_normalization_that_has_no_effect_on_infogan_is_reported(bindings, warned, caplog):
    config.parse([], bindings)
    architecture = registry.get("architecture", "infogan_arch")
    warn_of_another_normalization(architecture.Generator((8, 8, 1), ch=2))
    sentence = (
        "G.batch_norm_fn has no effect on infogan, which uses BatchNorm: bind "
        "infogan.Generator.batch_norm_fn instead."
    )
    assert (sentence in caplog.text) == warned


@pytest.mark.parametrize("family", ("dcgan", "resnet_cifar"))
def test_a_normalization_of_other_families_is_that_of_the_scope(family, caplog):
    config.parse([], ["G.batch_norm_fn = @conditional_batch_norm"])
    network = registry.get("architecture", f"{family}_arch").Generator((32, 32, 3), ch=4)
    warn_of_another_normalization(network)
    warn_of_another_normalization(object())
    assert not caplog.text
