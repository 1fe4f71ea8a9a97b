"""The head of the page of a run: a sentence for each state, and the numbers that matter most."""

import pytest

from compare_gan.report import run_config
from compare_gan.report.run_data import RunData
from compare_gan.report.run_head import headline, lead
from compare_gan.report.run_records import Summary


@pytest.mark.parametrize(
    ("summary", "sentence"),
    (
        (dict(state="not started"), "A GAN. Training has not begun."),
        (
            dict(state="training", step=5, steps=2000),
            "A GAN. Training goes on, at step 5 of 2,000.",
        ),
        (dict(state="interrupted", step=5), "A GAN. Training was interrupted at step 5."),
        (dict(state="interrupted"), "A GAN. Training was interrupted at no step yet."),
        (
            dict(state="diverged", divergence="step 3 (loss)", rollbacks=2),
            "A GAN. Training diverged at step 3 (loss). It went back to a checkpoint 2 times after "
            "a divergence.",
        ),
        (
            dict(
                state="finished", step=9, steps=9, rollbacks=1,
                dataset="mnist", image_shape=(28, 32, 1), num_classes=10,
            ),
            "A GAN on mnist, 32 × 28 pixels in gray, 10 classes. Training finished at step 9 of 9. "
            "It went back to a checkpoint once after a divergence.",
        ),
    ),
)  # fmt: skip
def test_the_first_sentence_says_how_far_a_run_has_come(summary, sentence):
    assert lead(RunData(summary=Summary(name="run", **summary))) == sentence


def test_the_first_sentence_names_the_gan_and_its_architecture():
    parameters = [
        run_config.Parameter(name=name, value=value, default=None, is_default=False)
        for name, value in (
            ("options.gan_class", "@gans.S3GAN"),
            ("options.architecture", "'resnet5_arch'"),
        )
    ]
    config = run_config.Config(parameters=parameters, unset={}, text="")
    run = RunData(summary=Summary(name="run", state="not started"), config=config)
    assert lead(run).startswith("S3GAN with resnet5_arch. ")


def test_numbers_that_are_not_known_are_left_out():
    assert headline(RunData(summary=Summary(name="run", state="training"))) == {"State": "training"}
    summary = Summary(
        name="run", state="training", step=2000, steps=3000, images_seen=64000,
        images_per_second=123.456,
    )  # fmt: skip
    assert headline(RunData(summary=summary)) == {
        "State": "training",
        "Step": "2,000 of 3,000",
        "Images seen": "64,000",
        "Images per second": "123",
    }
