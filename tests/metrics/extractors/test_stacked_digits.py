"""The classifier of stacked digits, on the data set that it was made for."""

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.datasets import load_digits

from compare_gan import config, registry
from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.datasets.auto_extractor import chosen_extractor
from compare_gan.errors import UserError
from compare_gan.metrics import mode_coverage
from compare_gan.metrics.extractors import StackedDigits


@pytest.fixture(name="extractor", scope="module")
def _extractor():
    return StackedDigits()


@pytest.fixture(name="examples", scope="module")
def _examples():
    return as_arrays(get_dataset("stacked_digits", num_examples=4000))


def test_channels_are_digits_and_labels_their_number(examples):
    images, labels = examples
    assert images.shape == (4000, 8, 8, 3) and images.dtype == np.uint8
    digits = load_digits()
    known = {
        image.tobytes(): target
        for image, target in zip(
            np.rint(digits.images * 255 / 16).astype(np.uint8), digits.target, strict=True
        )
    }
    for image, label in zip(images[:50], labels[:50], strict=True):
        found = [known[np.ascontiguousarray(image[..., channel]).tobytes()] for channel in range(3)]
        assert found == [label // 100, label // 10 % 10, label % 10]
    assert (np.bincount(labels) == 4).all()
    assert len(np.unique(images[..., 0], axis=0)) > 1500  # All 1,797 digits but for chance.
    assert chosen_extractor("auto", ["stacked_digits"]) == "stacked_digits"


def test_most_images_are_classified_correctly(extractor, examples):
    images, labels = examples
    features, logits = extractor(images)
    assert features.shape == (4000, 192) and logits.shape == (4000, 1000)
    np.testing.assert_allclose(logsumexp(logits, axis=1), 0, atol=1e-4)  # Log probabilities.
    # 0.99 for a digit, four fifths of which it was trained on: 0.97 for three at once.
    assert np.mean(logits.argmax(1) == labels) > 0.95
    modes, divergence = mode_coverage(logits, logits[labels < 500])
    assert 500 <= modes < 550 and divergence == pytest.approx(np.log(2), abs=0.1)


def test_each_mode_needs_an_image():
    with pytest.raises(UserError, match="at least 1,000, one for each mode, received 999"):
        get_dataset("stacked_digits", num_examples=999)


def test_other_shapes_are_refused(extractor):
    with pytest.raises(UserError, match=r"takes images of 8x8x3, received 28x28x1\."):
        extractor(np.zeros([2, 28, 28, 1], np.uint8))


def test_options_of_the_data_set_are_bound_by_its_name():
    """The extractor of the same name has another one in gin, so that the name is not ambiguous."""
    registry.load_all()
    with config.bindings_kept():
        config.parse((), ["stacked_digits.num_examples = 3000"])
        assert get_dataset("stacked_digits").num_train == 3000
    assert registry.get("extractor", "stacked_digits")().name == "stacked_digits"
