"""Parts that do not fit together are refused, and parts get the logits that they can use."""

import keras
import numpy as np
import pytest

from compare_gan.augmentations import ADA, APA
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.penalties import BCR, CR, ICR, ZCR, CutMix, Penalty
from compare_gan.schedules import CosineDecay
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.state import TrainState


@pytest.mark.parametrize("penalty", (CR, BCR, ZCR, ICR, CutMix))
def test_consistency_needs_forwards_that_batch_norm_leaves_alike(dummy, penalty):
    with_norm = {"batch_norm_fn": dummy.BatchNorm}
    with pytest.raises(UserError, match=f"{penalty.name} compares logits .* batch norm"):
        dummy.make_gan(ModularGAN, discriminator=with_norm, penalties=[penalty()])
    dummy.make_gan(ModularGAN, penalties=[penalty()])
    dummy.make_gan(
        ModularGAN,
        discriminator=with_norm,
        penalties=[penalty()],
        deprecated_split_disc_calls=True,
    )


@pytest.mark.parametrize("loss", ("wasserstein", "ls_gan", "rp_gan", "ra_gan"))
@pytest.mark.parametrize("augmentation", (ADA, APA))
def test_a_probability_cannot_follow_logits_without_a_zero(dummy, loss, augmentation):
    message = f"{augmentation.name}.p must be a number or a schedule with the loss '{loss}'"
    with pytest.raises(UserError, match=message):
        dummy.make_gan(ModularGAN, loss=loss, augmentations=[augmentation()])
    for p in (0.1, CosineDecay(0.0, 0.5, 10)):
        dummy.make_gan(ModularGAN, loss=loss, augmentations=[augmentation(p=p)])
    dummy.make_gan(ModularGAN, loss="hinge", augmentations=[augmentation()])


class _Recorder(Penalty):
    """Remembers the shapes of logits."""

    name = "recorder"

    def discriminator_term(
        self, discriminator, x, real_logits, logits_with_pixels, fake_logits_with_pixels
    ):
        shapes = [discriminator(x).shape, real_logits.shape]
        wide = [logits_with_pixels(x).shape, fake_logits_with_pixels.shape]
        _Recorder.shapes = [tuple(shape) for shape in (*shapes, *wide)]
        return 0.0 * real_logits[0, 0]


def test_only_penalties_that_ask_see_the_logits_of_pixels(dummy):
    x = keras.Input(dummy.IMAGE_SHAPE)
    features = keras.layers.Dense(4, name="features")(keras.layers.Flatten()(x))
    y = keras.Input((dummy.NUM_CLASSES,), optional=True)
    logits = keras.layers.Dense(5, name="logits")(features)
    gan = dummy.make_gan(ModularGAN, penalties=[_Recorder()])
    gan.discriminator = keras.Model((x, y), (logits, features))
    batch = dummy.make_batch()
    gan.discriminator_loss(batch, gan.fakes(batch))
    assert _Recorder.shapes == [(8, 1), (8, 1), (8, 5), (8, 5)]


def test_averages_over_the_training_begin_with_it(dummy):
    gan = dummy.make_gan(ModularGAN)
    options = OptimizationOptions(g_use_ema=True, ema_lengths=(0.1,), ema_other_half_lives=(50,))
    state = TrainState(gan, seed=0, optimization=options, batch_size=8)
    length, half_life = (
        [name for name in state.variables() if name.startswith(f"averages/{kind}")]
        for kind in ("length", "half_life")
    )
    state.start_missing(length)
    state.step.assign(5)
    state.start_missing(half_life)
    with pytest.raises(UserError, match=r"ema_lengths cannot be added to a run at step 5:"):
        state.start_missing(length)


def test_the_dummy_discriminator_has_batch_norm_when_asked(dummy):
    """Otherwise the first test would show nothing."""
    gan = dummy.make_gan(ModularGAN, discriminator={"batch_norm_fn": dummy.BatchNorm})
    x = np.random.RandomState(0).uniform(size=(4, *dummy.IMAGE_SHAPE)).astype("float32")
    alone, together = gan.discriminate(x[:2], None), gan.discriminate(x, None)
    assert not np.allclose(alone.logits, together.logits[:2])
