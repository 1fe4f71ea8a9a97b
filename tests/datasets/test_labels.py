import numpy as np
import pytest

from compare_gan.datasets.labels import check_soft, choose_given, choose_images, hide_labels
from compare_gan.errors import UserError

_LABELS = np.repeat([0, 1, 2], [10, 20, 40])


def test_each_class_keeps_its_fraction():
    chosen = choose_given(_LABELS, 0.25, 547, "abc")
    # round(2.5) = 2: halves go to the even number.
    assert np.bincount(_LABELS[chosen]).tolist() == [2, 5, 10]


def test_a_fraction_of_one_keeps_all_labels_that_exist():
    labels = np.array([0, -1, 1, -1, 0])
    assert choose_given(labels, 1.0, 0, "ab").tolist() == [True, False, True, False, True]


def test_the_choice_depends_on_the_seed_and_grows_with_the_fraction():
    few, many = (choose_given(_LABELS, fraction, 547, "abc") for fraction in (0.2, 0.6))
    assert not (few & ~many).any()
    assert (choose_given(_LABELS, 0.2, 547, "abc") == few).all()
    assert (choose_given(_LABELS, 0.2, 548, "abc") != few).any()


def test_hidden_labels_are_minus_one():
    hidden = hide_labels(np.array([3, 1, 2]), np.array([True, False, True]))
    assert hidden.tolist() == [3, -1, 2]
    assert hidden.dtype == np.int32


def test_soft_labels_sum_to_one_up_to_rounding_or_are_absent():
    check_soft(np.array([[0.3, 0.7], [0, 0], [0.5, 0.495], [0.505, 0.5]]), "'file'")
    for wrong in ([0.5, 0.48], [0.52, 0.5], [0.001, 0]):
        with pytest.raises(UserError, match=r"in 'file' must sum to one .* those of 1 do not"):
            check_soft(np.array([[0.3, 0.7], wrong]), "'file'")


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(UserError, match="labeled_fraction must be above 0 and at most 1, received"):
        choose_given(_LABELS, fraction, 0, "abc")


def test_a_rare_class_gets_at_least_one_label():
    """Fault: none of the images of a rare class would be among the few labels.

    Command: train with dataset.labeled_fraction
    User sees: nothing; if there are fewer labels than classes: … none of the 10 images of the
        class 'a' …
    Exit code: 0; 2
    Lost: nothing: each class has a label where the fraction allows it
    """
    given = choose_given(_LABELS, 0.04, 0, "abc")
    assert np.bincount(_LABELS[given]).tolist() == [1, 1, 2]
    with pytest.raises(
        UserError, match=r"none of the 10 images of the class 'a' .* 1 labels in all, for 3"
    ):
        choose_given(_LABELS, 0.02, 0, "abc")


def test_a_part_of_the_images_is_a_part_of_each_class():
    labels = np.append(_LABELS, [-1] * 10)
    few, many = (choose_images(labels, fraction, 547) for fraction in (0.1, 0.5))
    assert np.bincount(labels[few] + 1).tolist() == [1, 1, 2, 4]
    assert np.bincount(labels[many] + 1).tolist() == [5, 5, 10, 20]
    assert not (few & ~many).any()
    assert (choose_images(labels, 0.1, 547) == few).all()
    assert (choose_images(labels, 0.1, 548) != few).any()
    assert choose_images(labels, 1.0, 547).all()
    with pytest.raises(UserError, match=r"dataset\.fraction must be above 0 and at most 1"):
        choose_images(labels, 0, 547)


def test_a_class_without_images_is_refused():
    with pytest.raises(UserError, match="The class 'd' has no images"):
        choose_given(_LABELS, 0.5, 0, "abcd")
