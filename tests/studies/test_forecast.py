"""What a study will take, before its first run."""

import pytest

from compare_gan.studies import define, forecast

_BINDINGS = [
    "dataset.name = 'synthetic'",
    "dataset.image_size = 8",
    "synthetic.num_examples = 4",
    "options.gan_class = @ModularGAN",
    "options.batch_size = 2",
    "options.z_dim = 2",
    "sndcgan.Discriminator.ch = 8",
    "sndcgan.Generator.ch = 8",
    "options.architecture = 'sndcgan_arch'",
]


def _study(base, axes):
    return define(base=str(base), bindings=_BINDINGS, axes=axes, steps=10)


@pytest.fixture(name="empty")
def _empty(tmp_path):
    path = tmp_path / "base.gin"
    path.touch()
    return path


def test_time_and_disk_follow_the_networks(empty, monkeypatch):
    monkeypatch.setattr(forecast, "operations_per_second", lambda: 1e9)
    steps = {"options.disc_iters": [1, 3], "sndcgan.Generator.ch": [8, 16]}
    found = forecast.forecast(_study(empty, steps).variants)
    one, wide, three, _ = found.values()
    # Three steps of the discriminator instead of one, and one of the generator.
    assert 1.5 * one.seconds < three.seconds < 3 * one.seconds
    assert three.size == one.size < wide.size


def test_of_many_variants_some_are_built(empty, monkeypatch):
    built = []

    def of(variant, rate):
        built.append(variant.name)
        return forecast.Forecast(variant.steps * len(built), 1000 * len(built))

    monkeypatch.setattr(forecast, "_of", of)
    monkeypatch.setattr(forecast, "operations_per_second", lambda: 1e9)
    variants = _study(empty, {"ModularGAN.g_lr": [float(i) for i in range(20)]}).variants
    found = forecast.forecast(variants)
    assert len(built) == 8 and list(found) == [each.name for each in variants]
    others = {each for name, each in found.items() if name not in built}
    assert others == {forecast.Forecast(10 * 4.5, 4500)}
    assert forecast.forecast([]) == {}
