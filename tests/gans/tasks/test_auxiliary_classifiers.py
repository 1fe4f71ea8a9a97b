"""AC-GAN, TAC-GAN and ADC-GAN against the numbers of a published program and NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.gans.tasks import ACGANTask, ADCGANTask, Seen, TACGANTask
from compare_gan.gans.tasks.auxiliary_classifiers import TwinHead

SECTION = "modern tasks"


def _one_hot(labels):
    return tf.constant(np.eye(4)[labels])


@pytest.fixture(name="halves")
def _halves(golden):
    """Float64 outputs of real and generated images, and their labels."""

    def make(real, fake):
        real, fake = (tf.constant(golden[f"in/{k}"].astype(np.float64)) for k in (real, fake))
        labels = [_one_hot(golden[f"in/{k}_labels"]) for k in ("real", "fake")]
        return real, fake, *labels

    return make


def test_ac_gan_on_real_images_is_that_of_a_published_program(golden, assert_golden, halves):
    real, fake, y, fake_y = halves("ac_real_logits", "ac_fake_logits")
    task = ACGANTask(weight_d=2.0, weight_d_fake=0.0, weight_g=3.0)
    d = task.discriminator_terms(Seen(real, None, y), Seen(fake, None, fake_y))
    g = task.generator_terms(Seen(fake, None, fake_y))
    assert_golden(SECTION, "ac/d_loss", d.total / 2, golden["ac/d_loss"], rtol=1e-12)
    assert_golden(SECTION, "ac/g_loss", g.total / 3, golden["ac/g_loss"], rtol=1e-12)
    accuracy = (real.numpy().argmax(axis=1) == golden["in/real_labels"]).mean()
    np.testing.assert_allclose(d.measures["ac_gan_accuracy_real"], accuracy, rtol=1e-12)


def test_ac_gan_learns_from_generated_images_as_in_the_paper(halves):
    real, fake, y, fake_y = halves("ac_real_logits", "ac_fake_logits")

    def cross_entropy(logits, labels):
        logits, labels = logits.numpy(), labels.numpy()
        return (np.log(np.exp(logits).sum(axis=1)) - (logits * labels).sum(axis=1)).mean()

    terms = ACGANTask().discriminator_terms(Seen(real, None, y), Seen(fake, None, fake_y))
    expected = cross_entropy(real, y) + cross_entropy(fake, fake_y)
    np.testing.assert_allclose(terms.total, expected, rtol=1e-12)
    np.testing.assert_allclose(terms.parts["ac_gan_fake"], cross_entropy(fake, fake_y), rtol=1e-12)


def test_tac_gan_is_that_of_a_published_program(golden, assert_golden, halves):
    real, fake, y, fake_y = halves("ac_real_logits", "ac_fake_logits")
    twin = tf.constant(golden["in/tac_fake_mi_logits"].astype(np.float64))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake, twin])
        # The twin's outputs for real images must not matter.
        seen = [
            Seen(tf.concat(outputs, axis=1), None, labels)
            for outputs, labels in (([real, 100.0 * twin], y), ([fake, twin], fake_y))
        ]
        d, g = TACGANTask().discriminator_terms(*seen), TACGANTask().generator_terms(seen[1])
    for terms, network, watched in (
        (d, "d", {"ac_real_logits": real, "mi_logits": twin}),
        (g, "g", {"ac_fake_logits": fake, "mi_logits": twin}),
    ):
        key = f"tac/{network}_loss"
        assert_golden(SECTION, key, terms.total, golden[key], rtol=1e-12)
        for name, logits in watched.items():
            key = f"tac/grad_{network}_loss_wrt_{name}"
            assert_golden(SECTION, key, tape.gradient(terms.total, logits), golden[key], rtol=1e-12)


def test_adc_gan_is_that_of_a_published_program(golden, assert_golden, halves):
    real, fake, y, fake_y = halves("adc_real_logits", "adc_fake_logits")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d = ADCGANTask().discriminator_terms(Seen(real, None, y), Seen(fake, None, fake_y))
        g = ADCGANTask().generator_terms(Seen(fake, None, fake_y))
    for terms, network, watched in (
        (d, "d", {"real_logits": real, "fake_logits": fake}),
        (g, "g", {"fake_logits": fake}),
    ):
        key = f"adc/{network}_loss"
        assert_golden(SECTION, key, terms.total, golden[key], rtol=1e-12)
        for name, logits in watched.items():
            key = f"adc/grad_{network}_loss_wrt_{name}"
            assert_golden(SECTION, key, tape.gradient(terms.total, logits), golden[key], rtol=1e-12)


@pytest.mark.parametrize("task", (ACGANTask(), TACGANTask(), ADCGANTask()), ids=lambda t: t.name)
def test_images_without_label_change_nothing(halves, task):
    real, fake, y, fake_y = halves("adc_real_logits", "adc_fake_logits")
    if task.name == "ac_gan":
        real, fake = real[:, :4], fake[:, :4]
    shown = tf.constant([0.0, 1, 1, 0, 1, 1, 1, 1], tf.float64)[:, None]
    rows = np.flatnonzero(shown[:, 0])
    generated = Seen(fake, None, fake_y)
    found = task.discriminator_terms(Seen(real, None, shown * y), generated)
    expected = task.discriminator_terms(
        Seen(tf.gather(real, rows), None, tf.gather(y, rows)), generated
    )
    np.testing.assert_allclose(found.total, expected.total, rtol=1e-12)


def test_the_twin_has_weights_of_its_own():
    head = TwinHead(3, spectral_norm=True, name="discriminator_tac_gan")
    features = np.random.RandomState(0).normal(size=(5, 6)).astype(np.float32)
    outputs = head(features).numpy()
    assert outputs.shape == (5, 6) and outputs.dtype == np.float32
    assert not np.allclose(outputs[:, :3], outputs[:, 3:])
    paths = {v.path.rsplit("/", 1)[0] for v in head.variables}
    assert paths == {f"discriminator_tac_gan/{name}/classes" for name in ("own", "twin")}
    assert len({v.path for v in head.variables}) == len(head.variables) == 6
    clone = TwinHead.from_config(head.get_config())
    assert clone.get_config() == head.get_config()
    assert keras.saving.get_registered_name(TwinHead) == "compare_gan>TwinHead"


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: ACGANTask(weight_d_fake=-1), r"ac_gan\.weight_d_fake must be at least 0"),
        (lambda: TACGANTask(weight_g=-1), r"tac_gan\.weight_g must be at least 0, received -1"),
        (lambda: ADCGANTask().check((8, 8, 3), None), "'adc_gan' needs a conditional GAN"),
    ),
)
def test_mistakes_are_reported(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
