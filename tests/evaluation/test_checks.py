"""Matching the classes of two sets."""

import dataclasses

import numpy as np
import pytest

from compare_gan.errors import UserError
from compare_gan.evaluation.checks import check_sets, common_classes
from compare_gan.evaluation.image_sets import open_images
from compare_gan.metrics import IntraFrechetInceptionDistance

_IMAGES = np.zeros([4, 2, 2, 1], np.uint8)


def _labelled(labels, names=None):
    images = open_images((_IMAGES, np.array(labels)))
    return dataclasses.replace(images, class_names=names, name="named" if names else "numbered")


def _matched(real, fake):
    """The label of each image of `fake`, as metrics receive it."""
    _, renumber = common_classes(real, fake)
    return list(fake.labels if renumber is None else renumber[fake.labels])


def test_names_are_matched_whatever_their_case_and_punctuation():
    real = _labelled([0, 1, 2, 2], ("T-shirt", "Trouser", "Ankle boot"))
    fake = _labelled([0, 1, 2, 2], ("ankle_boot", "t_shirt", "trouser"))
    assert _matched(real, fake) == [2, 0, 1, 1]


def test_names_do_not_match_numbers():
    named, numbered = _labelled([0, 1, 2, 2], ("boot", "shirt", "trouser")), _labelled([0, 1, 2, 2])
    for sets in ((named, numbered), (numbered, named)):
        with pytest.raises(
            UserError, match=r"'named' have names \('boot', …\), those of 'numbered'"
        ):
            common_classes(*sets)
    # If no metric compares them, they need not match.
    assert common_classes(numbered, named, compared=False) == (named.class_names, None)


def test_integers_as_names_are_labels():
    named = _labelled([0, 1, 2, 3], ("0", "1", "10", "2"))  # In the sort order of folders.
    numbered = _labelled([0, 1, 10, 2])
    assert _matched(numbered, named) == [0, 1, 10, 2]
    assert _matched(named, numbered) == [0, 1, 2, 3]
    with pytest.raises(UserError, match="'numbered' has the class '3', which 'named' lacks"):
        common_classes(named, _labelled([0, 1, 2, 3]))
    with pytest.raises(UserError, match="'named' has the class '10', which 'numbered' lacks"):
        common_classes(_labelled([0, 1, 2, 3]), named)
    with pytest.raises(UserError, match="'1' and '01' of 'named' are the same as numbers"):
        common_classes(numbered, _labelled([0, 1, 0, 1], ("1", "01")))


def test_the_numbers_of_a_data_set_are_those_of_its_samples():
    real = open_images("fashion_mnist_10k")
    assert common_classes(real, _labelled([0, 1, 9, 2])) == (real.class_names, None)


def test_the_refusal_names_the_class_that_is_too_small():
    """Classes that do not occur count, and two sets have their own classes."""
    metrics = {"intra_fid": IntraFrechetInceptionDistance()}
    fake = open_images((np.zeros([5, 2, 2, 1], np.uint8), np.array([0, 0, 3, 3, 5])))
    real = open_images((np.zeros([6, 2, 2, 1], np.uint8), np.array([0, 0, 3, 3, 5, 5])))
    with pytest.raises(UserError, match="received 1 of class 5"):
        check_sets(metrics, real, fake)
    real = dataclasses.replace(real, class_names=("a", "b", "c", "d", "e", "f"))
    fake = dataclasses.replace(fake, class_names=("b", "a", "c", "f", "e", "d"))
    with pytest.raises(UserError, match="generated images of each class, received 1 of class d"):
        check_sets(metrics, real, fake)
    # Equally many classes of other names are not compared by their numbers.
    real = _labelled([0, 0, 1, 1], ("a", "b"))
    check_sets(metrics, real, _labelled([1, 1, 1, 1], ("c", "a")))
    with pytest.raises(UserError, match="received 0 of class a"):
        check_sets(metrics, real, _labelled([1, 1, 1, 1], ("a", "b")))


def test_ambiguous_names_are_refused():
    real = _labelled([0, 1, 2, 2], ("1.5", "15", "Two"))
    with pytest.raises(UserError, match=r"'1\.5' and '15' of 'named' are the same but for case"):
        common_classes(real, _labelled([0] * 4, ("two",)))
    assert _matched(real, _labelled([0, 1, 1, 1], ("15", "Two"))) == [1, 2, 2, 2]
