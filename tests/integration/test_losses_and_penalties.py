"""Every loss and every penalty takes one step with every architecture, at tiny size.

Also with batch norm in three discriminators, and without labels. The smallest architecture runs by
default, the others are slow.
"""

import one_step
import pytest
import tiny_gans

from compare_gan import registry
from compare_gan.gans.examples import mixes_examples
from compare_gan.gans.terms import part_name

# Their generator's term rewards change.
_NEGATIVE = (("penalty/zcr", "generator"), ("penalty/icr", "generator"))
# Slopes below 1 are allowed.
_MAYBE_ZERO = ("penalty/no_penalty", "penalty/wgan_lp")
# Powers of the slopes of logits, which batch norm over four images makes as large as 50.
_OF_SLOPES = tuple(
    f"penalty/{name}" for name in ("wgangp_penalty", "dragan_penalty", "wgan_lp", "max_gp")
)


def test_every_registered_architecture_is_here():
    assert set(tiny_gans.ARCHITECTURES) == set(registry.names("architecture"))


@pytest.mark.parametrize(("variant", "part"), tiny_gans.pairs("loss"))
def test_loss(variant, part):
    networks = tiny_gans.networks(variant)
    gan = tiny_gans.make_gan(networks, **tiny_gans.allowed_options(variant, part))
    step = one_step.take(gan)
    one_step.assert_trained(gan, step)
    for loss in ("d_loss", "d_loss_real", "d_loss_fake", "g_loss"):
        assert abs(step.values[f"loss/{loss}"]) < 100, step.values


@pytest.mark.parametrize(("variant", "part"), tiny_gans.pairs("penalty"))
def test_penalty(variant, part):
    networks = tiny_gans.networks(variant)
    gan = tiny_gans.make_gan(networks, **tiny_gans.allowed_options(variant, part))
    [penalty] = gan.penalties
    step = one_step.take(gan)
    one_step.assert_trained(gan, step)
    joined = [n for n in ("discriminator", "generator") if penalty.term(n)]
    assert joined
    x = one_step.sub_batch(gan.image_shape)["images"]
    for network in joined:
        value = step.values[f"loss/{part_name(penalty, network)}"]
        sign = -1 if (part, network) in _NEGATIVE else 1
        assert sign * value > 0 or (part in _MAYBE_ZERO and value >= 0), value
        weight = float(
            registry.call_with_requested(penalty.weight_at, step=1, x=x, network=network)
        )
        adversarial = step.values[f"loss/{network[0]}_loss"]
        # Otherwise the network would learn the penalty only. The generator's loss may be near 0: it
        # is a mean of logits.
        is_steep = part in _OF_SLOPES and mixes_examples(networks.discriminator)
        most = (10_000 if is_steep else 100) * max(abs(adversarial), 1.0)
        assert weight * abs(value) < most, (weight, value, adversarial)
