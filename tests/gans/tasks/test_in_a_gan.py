"""Tasks that condition on classes or codes, in both losses of a GAN."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan import registry
from compare_gan.datasets import InfoCodes
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.gans.tasks import InfoTask
from compare_gan.training.label_use import check_label_use

TASKS = ("ac_gan", "tac_gan", "adc_gan", "contra_gan", "reacgan", "info")


def test_all_tasks_together_are_in_both_losses(dummy):
    """Every weight has a gradient, and logged names are unique."""
    gan = dummy.make_gan(
        ModularGAN,
        tasks=[*TASKS[:-1], InfoTask(InfoCodes((2,), 1))],
        conditional=True,
        discriminator={"project_y": False, "spectral_norm": True},
    )
    assert tuple(gan.heads) == TASKS
    batch = dummy.make_batch(unlabelled=[1, 2])
    fakes = gan.fakes(batch)
    names = []
    for loss, variables in (
        (lambda: gan.discriminator_loss(batch, fakes), gan.discriminator_variables),
        (lambda: gan.generator_loss(batch), gan.generator_variables),
    ):
        with tf.GradientTape() as tape:
            terms = loss()
        gradients = tape.gradient(terms.total, [v.value for v in variables])
        assert all(np.any(gradient) for gradient in gradients)
        names += [*terms.parts, *terms.measures]
        for name in TASKS:
            assert any(part.startswith(name) for part in terms.parts)
    assert len(set(names)) == len(names)
    assert all(head.trainable_variables for head in gan.heads.values())


@pytest.mark.parametrize("name", TASKS[:-1])
def test_class_tasks_need_and_use_labels(dummy, name):
    assert registry.get("task", name).learns_from_labels
    with pytest.raises(UserError, match=f"'{name}' needs a conditional GAN"):
        dummy.make_gan(ModularGAN, tasks=[name])


def test_a_class_task_is_a_use_of_labels(dummy, caplog):
    gan = dummy.make_gan(
        ModularGAN, tasks=["reacgan"], conditional=True, discriminator={"project_y": False}
    )
    check_label_use(gan)
    assert not caplog.records


def test_codes_need_a_latent_that_is_large_enough(dummy):
    with pytest.raises(UserError, match="z_dim must be at least 12, received 5"):
        dummy.make_gan(ModularGAN, tasks=["info"])


def test_every_task_is_tested():
    assert {*TASKS, "rotation", "class_prediction"} == set(registry.names("task"))
