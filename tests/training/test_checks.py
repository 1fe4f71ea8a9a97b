"""Configs that the checks accept; tests/integration/test_mistakes.py has the refused ones."""

import gin
import pytest

from compare_gan import config, registry
from compare_gan.config.checks import check_bindings
from compare_gan.errors import UserError
from compare_gan.training.checks import check_gan
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
