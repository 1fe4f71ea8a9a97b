"""Parts that do not fit an architecture, a GAN without classes or each other are refused.

The message says why. What is not refused takes a step in `test_losses_and_penalties.py` and
`test_tasks_and_augmentations.py`.
"""

import re

import one_step
import pytest
import tiny_gans

from compare_gan import registry
from compare_gan.errors import UserError

# Of these losses, logits above 0 do not mean that an image looks real.
_WITHOUT_ZERO = ("ls_gan", "multi_hinge", "ra_gan", "rp_gan", "wasserstein")
_NO_MEANS = ("multi_hinge", "ra_gan")


@pytest.mark.parametrize(("variant", "part"), tiny_gans.refused_pairs())
def test_with_an_architecture(variant, part):
    message = re.escape(tiny_gans.refusal(variant, part))
    networks = tiny_gans.networks(variant)
    with pytest.raises(UserError, match=message):
        gan = tiny_gans.make_gan(networks, **tiny_gans.options_of(part))
        gan.generator_loss(one_step.sub_batch(gan.image_shape))


@pytest.mark.parametrize("loss", registry.names("loss"))
def test_a_loss_with_a_share_or_an_adaptive_probability(loss):
    networks, options = tiny_gans.networks("dummy_arch"), tiny_gans.options_of(f"loss/{loss}")
    given = [
        ({"top_k": 0.5}, loss in _NO_MEANS, "top_k must be 1"),
        ({"augmentations": ["ada"]}, loss in _WITHOUT_ZERO, "ada.p must be a number"),
        ({"augmentations": ["apa"]}, loss in _WITHOUT_ZERO, "apa.p must be a number"),
    ]
    for added, is_refused, message in given:
        if is_refused:
            with pytest.raises(UserError, match=message):
                tiny_gans.make_gan(networks, **options, **added)
        else:
            tiny_gans.make_gan(networks, **options, **added)
