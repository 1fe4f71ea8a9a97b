"""Named protocols: their definitions, and finding them by name, also with another extractor."""

import types

import gin
import pytest

from compare_gan import registry
from compare_gan.errors import UserError
from compare_gan.evaluation import protocols
from compare_gan.metrics import FrechetInceptionDistance
from compare_gan.metrics.extractors.resizing import RESIZERS

_SIZES = {"train": 60_000, "validation": 10_000}


def test_a_protocol_agrees_with_its_name():
    protocol = protocols.get("fid50k_train")
    assert (protocol.num_real, protocol.num_fake, protocol.extractor) == (
        50_000,
        50_000,
        "inception",
    )
    assert protocol.split_of("a", _SIZES) == "train"
    [metric] = protocol.make_metrics()
    assert isinstance(metric, FrechetInceptionDistance)


@pytest.mark.parametrize("name", registry.names("protocol"))
def test_the_parts_of_every_protocol_are_registered(name):
    protocol = protocols.get(name)
    metrics = protocol.make_metrics()
    assert len(metrics) == len(protocol.metrics)
    for metric, options in zip(metrics, protocol.metrics.values(), strict=True):
        assert all(metric.options().get(key) == value for key, value in options.items())
        assert metric.statistics(protocol.num_fake)
        assert metric.uses_real == (protocol.split is not None)
    assert registry.get("extractor", protocol.extractor)


def test_names_that_papers_use_for_other_features_say_so():
    summaries = {part.name: part.summary for part in registry.components("protocol")}
    assert all("not the published" in summaries[name] for name in ("pr50k3", "pr50k3_full"))


def test_the_numbers_in_a_name_are_those_of_the_protocol():
    for name in registry.names("protocol"):
        thousands = int("".join(filter(str.isdigit, name.split("k")[-2])))
        assert protocols.get(name).num_fake == 1000 * thousands


def test_a_name_may_end_in_an_extractor():
    protocol = protocols.get("fid10k_test_fashion_cnn")
    assert (protocol.extractor, protocol.num_fake) == ("fashion_cnn", 10_000)
    assert protocol.name == "fid10k_test_fashion_cnn"
    protocol.check_extractor(types.SimpleNamespace(name="fashion_cnn", resizer="none"))


def test_the_suffix_of_a_name_determines_extractor_and_resizer():
    assert protocols.get("fid50k_train_inception") is protocols.get("fid50k_train")
    clean, tf1 = (f"{RESIZERS[name]}, to 9x9" for name in ("clean", "tf1_bilinear"))
    for asked in ("kid50k_keras_application", "kid50k_resnet50"):
        protocol = protocols.get(asked)
        assert (protocol.name, protocol.extractor) == ("kid50k_resnet50", "keras_application")
        protocol.check_extractor(types.SimpleNamespace(name="resnet50", resizer=clean))
        with pytest.raises(UserError, match=r"'kid50k_resnet50' resizes by 'clean .* by 'TF1"):
            protocol.check_extractor(types.SimpleNamespace(name="resnet50", resizer=tf1))
    gin.bind_parameter("keras_application.name", "InceptionV3")
    assert protocols.get("kid50k_keras_application").name == "kid50k_inceptionv3"
    with pytest.raises(UserError, match="Unknown protocol 'kid50k_resnet50'"):
        protocols.get("kid50k_resnet50")
    gin.bind_parameter("inception.resizer", "clean")
    protocol = protocols.get("fid50k_train_inception_clean")
    assert (protocol.name, protocol.extractor) == ("fid50k_train_inception_clean", "inception")
    protocol.check_extractor(types.SimpleNamespace(name="inception_clean", resizer=clean))


def test_options_that_change_an_inception_score_are_not_left_to_gin():
    protocol = protocols.get("is50k")
    gin.bind_parameter("inception_score.shuffle_seed", 3)
    [metric] = protocol.make_metrics()
    assert metric.shuffle_seed is None
    extractor = types.SimpleNamespace(
        name="inception", resizer=RESIZERS["tf1_bilinear"], logit_bias=True
    )
    with pytest.raises(UserError, match=r"'is50k' takes logits without bias: leave inception\.lo"):
        protocol.check_extractor(extractor)


def test_the_test_split_may_have_another_name():
    protocol = protocols.get("fid10k_test")
    assert protocol.split_of("a", _SIZES) == "validation"
    assert protocol.split_of("a", _SIZES | {"test": 5}) == "test"
    with pytest.raises(UserError, match="compares with the split 'test', which 'a' lacks; it has"):
        protocol.split_of("a", {"train": 5})
    assert protocols.get("is50k").split_of("a", {"train": 5}) is None


def test_too_few_images_and_another_resizer_are_refused():
    protocol = protocols.get("fid50k_train")
    protocol.check_count("real", "a", 50_000)
    with pytest.raises(UserError, match="needs 50000 real images, but 'a' holds 49999"):
        protocol.check_count("real", "a", 49_999)
    protocols.get("fid50k_full").check_count("real", "a", 3)
    extractor = types.SimpleNamespace(name="inception", resizer="clean, to 299x299")
    with pytest.raises(UserError, match="resizes by 'TF1 bilinear, no antialiasing', but"):
        protocol.check_extractor(extractor)


def test_unknown_names_are_reported_and_new_ones_can_be_defined():
    with pytest.raises(
        UserError, match=r"Unknown protocol 'fid50k_trian'\. Did you mean 'fid50k_tr"
    ):
        protocols.get("fid50k_trian")
    own = protocols.Protocol("fid2k_train", {"fid": {}}, 2000)
    try:
        protocols.define(own, summary="Mine.")
        assert protocols.get("fid2k_train") is own
        with pytest.raises(UserError, match="taken"):
            protocols.define(
                protocols.Protocol("fid2k_train", {"fid": {}}, 3000), summary="Another."
            )
    finally:
        registry._components["protocol"].pop("fid2k_train", None)
    with pytest.raises(UserError, match=r"Unknown split of x 'tran'\. Did you mean 'train'"):
        protocols.define(protocols.Protocol("x", {"fid": {}}, 5, "tran"), summary="Wrong.")
