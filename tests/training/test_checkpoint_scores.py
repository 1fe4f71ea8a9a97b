"""The choice of the checkpoints to score; test_modes.py tests the rows that they get."""

import pytest

from compare_gan.training.checkpoint_scores import EvaluationPlan


@pytest.mark.parametrize(
    ("step", "chosen"), ((0, False), (2, False), (3, True), (6, True), (7, True), (8, False))
)
def test_multiples_and_the_last_are_chosen(step, chosen):
    assert EvaluationPlan(every_steps=3).selects(step, last_step=7) is chosen
