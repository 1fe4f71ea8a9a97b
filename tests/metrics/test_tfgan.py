"""The parts of TF-GAN that this library uses; a failure here means that TF-GAN has changed."""

import builtins
import sys

import pytest

from compare_gan.errors import UserError
from compare_gan.metrics import tfgan


def test_it_imports_and_has_the_names_that_are_used():
    module = tfgan.load()
    for name in (
        "INCEPTION_TFHUB",
        "INCEPTION_OUTPUT",
        "INCEPTION_FINAL_POOL",
        "classifier_score_from_logits",
        "frechet_classifier_distance_from_activations",
        "kernel_classifier_distance_from_activations",
    ):
        assert hasattr(module.eval, name), f"tensorflow_gan.eval has no {name}"
    assert module.eval.INCEPTION_OUTPUT == "logits"
    assert module.eval.INCEPTION_FINAL_POOL == "pool_3"
    assert module.eval.INCEPTION_DEFAULT_IMAGE_SIZE == 299
    assert callable(module.losses.wasserstein_generator_loss)


def test_its_estimators_are_not_loaded():
    tfgan.load()
    assert not [name for name in sys.modules if name.startswith("tensorflow_gan.python.estimator.")]


@pytest.fixture(name="without_pkg_resources")
def _without_pkg_resources(monkeypatch):
    """As with setuptools 82 or later."""
    monkeypatch.setitem(sys.modules, "pkg_resources", None)
    for name in list(sys.modules):
        if name == "tensorflow_hub" or name.startswith("tensorflow_gan"):
            monkeypatch.delitem(sys.modules, name)


def test_it_imports_without_pkg_resources(without_pkg_resources):
    """Fault: PyTorch brings setuptools 82, without `pkg_resources`, which TF-Hub and TF-GAN import.

    Command: metrics, import-weights
    User sees: the scores, or the imported model
    Exit code: 0
    Lost: nothing
    """
    assert tfgan.load_hub.__wrapped__().resolve is not None
    assert tfgan.load.__wrapped__().eval.INCEPTION_OUTPUT == "logits"
    assert sys.modules["pkg_resources"] is None  # Nothing else takes the stand-in for it.


def test_versions_are_compared_without_pkg_resources(without_pkg_resources, monkeypatch):
    import tensorflow as tf

    monkeypatch.setattr(tf, "__version__", "1.2.0")
    with pytest.raises(UserError, match="TF-Hub cannot be imported"):
        tfgan.load_hub.__wrapped__()


def test_one_sentence_reports_that_it_is_missing(monkeypatch):
    real_import = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "tensorflow_gan":
            raise ModuleNotFoundError("No module named 'tensorflow_gan'")
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"TF-GAN cannot be imported .*pip install tensorflow-gan"):
        tfgan.load.__wrapped__()
