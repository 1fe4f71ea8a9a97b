import pytest

from compare_gan.errors import DivergenceError, UserError, nearest, unknown_name


@pytest.mark.parametrize(
    ("name", "expected"),
    (("hing", "hinge"), ("HINGE", "hinge"), ("wgan", "WGAN"), ("zzz", None), (3, None),
     ("Adam", "AdamOptimizer"), ("Op", None)),
)  # fmt: skip
def test_nearest(name, expected):
    assert nearest(name, ["hinge", "WGAN", "AdamOptimizer"]) == expected


def test_unknown_name_tells_what_came_the_nearest_and_all_sorted():
    error = unknown_name("loss", "hing", iter(["wasserstein", "hinge"]))
    message = "Unknown loss 'hing'. Did you mean 'hinge'? Known: hinge, wasserstein."
    assert isinstance(error, UserError) and str(error) == message


def test_unknown_name_without_anything_near():
    assert str(unknown_name("loss", "zzz", ["hinge"])) == "Unknown loss 'zzz'. Known: hinge."


def test_divergence_is_no_mistake_of_the_users():
    assert not issubclass(DivergenceError, UserError)
