import pytest

from compare_gan.errors import DivergenceError, UserError, check_decay, nearest, unknown_name


@pytest.mark.parametrize(
    ("name", "expected"),
    (("hing", "hinge"), ("HINGE", "hinge"), ("wgan", "WGAN"), ("zzz", None), (3, None),
     ("Adam", "AdamOptimizer"), ("Op", None), ("wgan_fashion_cnn", "WGAN")),
)  # fmt: skip
def test_nearest(name, expected):
    assert nearest(name, ["hinge", "WGAN", "AdamOptimizer"]) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    (("fid50k", "fid50k_full"), ("FID10k", "fid10k_test"), ("kid5", "kid50k"),
     ("kid50k", "kid50k"), ("50k_train", "fid50k_train")),
)  # fmt: skip
def test_a_name_that_starts_with_the_input_is_nearest(name, expected):
    known = ["kid50k", "pr50k3", "is50k", "fid50k_train", "fid50k_full", "fid10k_test"]
    assert nearest(name, known) == expected


def test_unknown_name_has_the_nearest_name_and_all_sorted():
    error = unknown_name("loss", "hing", iter(["wasserstein", "hinge"]))
    message = "Unknown loss 'hing'. Did you mean 'hinge'? Known: hinge, wasserstein."
    assert isinstance(error, UserError) and str(error) == message


def test_unknown_name_without_anything_near():
    assert str(unknown_name("loss", "zzz", ["hinge"])) == "Unknown loss 'zzz'. Known: hinge."


@pytest.mark.parametrize("value", (-0.1, 1, 2.0, float("nan"), "0.5", True))
def test_a_decay_is_at_least_0_and_below_1(value):
    check_decay("x.decay", 0)
    check_decay("x.decay", 0.999)
    with pytest.raises(UserError, match=rf"x\.decay must be .*, received '?{value}"):
        check_decay("x.decay", value)


def test_divergence_is_no_user_error():
    assert not issubclass(DivergenceError, UserError)
