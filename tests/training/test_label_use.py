"""Conditional GANs with networks that ignore labels, by what the networks do."""

import re
import types

import keras
import numpy as np
import pytest
from keras import ops

from compare_gan import config
from compare_gan.architectures import dcgan, infogan
from compare_gan.errors import UserError
from compare_gan.gans import S3GAN, ModularGAN
from compare_gan.layers import BatchNorm, ConditionalBatchNorm
from compare_gan.training import label_use, trainer
from compare_gan.training.experiment import Experiment
from compare_gan.training.label_use import check_label_use
from compare_gan.training.run_dir import RunDir

_SHAPE = (8, 8, 1)


def _gan(cls=ModularGAN, architecture="dcgan_arch", norm=None, **options):
    networks = {}
    if norm:
        networks["generator"] = dcgan.Generator(_SHAPE, batch_norm_fn=norm, ch=2)
    return cls(
        _SHAPE, 3, architecture, z_dim=4, conditional=options.pop("conditional", True),
        **networks, **options,
    )  # fmt: skip


def _state(gan):
    return [np.array(v) for v in (*gan.generator.variables, *gan.discriminator.variables)]


def test_a_gan_that_ignores_labels_is_refused():
    """Fault: a GAN is called conditional, but neither of its networks uses the labels.

    Command: train, train --dry-run
    User sees: ModularGAN.conditional is True, but both networks ignore labels: set … for the
        generator and … for the discriminator, or leave ModularGAN.conditional out.
    Exit code: 2
    Lost: nothing; it is found by what the networks do, before the first step
    """
    gan = _gan(norm=BatchNorm)
    with pytest.raises(
        UserError,
        match=r"ModularGAN.conditional is True, but both networks ignore labels: set "
        "G.batch_norm_fn = @conditional_batch_norm for the generator and set options.gan_class = "
        "@S3GAN with S3GAN.project_y = True .* or leave ModularGAN.conditional out",
    ):
        check_label_use(gan)
    check_label_use(_gan(norm=BatchNorm, conditional=False))


def test_the_place_of_the_binding_is_named():
    config.parse([], ["ModularGAN.conditional = True"])
    with pytest.raises(UserError, match=r"^--gin_bindings: ModularGAN\.conditional is True, but"):
        check_label_use(_gan(norm=BatchNorm))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (dict(norm=ConditionalBatchNorm), "discriminator ignores labels .*: set options.gan_class"),
        (
            dict(cls=S3GAN, norm=ConditionalBatchNorm, self_supervision="none"),
            "set S3GAN.project_y",
        ),
        (
            dict(cls=S3GAN, norm=BatchNorm, self_supervision="none", project_y=True),
            "generator ignores labels .*: set G.batch_norm_fn = @conditional_batch_norm",
        ),
    ],
)
def test_one_network_that_ignores_labels_gets_a_warning_with_the_remedy(options, sentence, caplog):
    """Fault: one network of a conditional GAN uses the labels, the other ignores them.

    Command: train, train --dry-run
    User sees: ModularGAN.conditional is True, but the discriminator ignores labels (its output is
        the same for all of them): set …
    Exit code: 0
    Lost: nothing
    """
    gan = _gan(**options)
    before = _state(gan)
    with caplog.at_level("WARNING", logger="compare_gan"):
        check_label_use(gan)
    [record] = [r for r in caplog.records if "ignores labels" in r.getMessage()]
    assert re.search(sentence, record.getMessage())
    for old, new in zip(before, _state(gan), strict=True):
        np.testing.assert_array_equal(old, new)


def test_the_remedy_is_that_of_the_generator(caplog):
    given = keras.Sequential([keras.Input((4,)), keras.layers.Dense(64)])
    z, y = keras.Input((4,)), keras.Input((3,))
    image = keras.layers.Reshape(_SHAPE)(ops.sigmoid(given(z)))
    networks = (
        (infogan.Generator(_SHAPE, ch=2), "set infogan.Generator.batch_norm_fn = @conditional_"),
        (keras.Model([z, y], image), "let the given generator use its second input"),
    )
    for generator, sentence in networks:
        gan = ModularGAN(_SHAPE, 3, "dcgan_arch", z_dim=4, conditional=True, generator=generator)
        with pytest.raises(UserError, match=sentence):
            check_label_use(gan)
    config.parse([], ["infogan.Generator.batch_norm_fn = @conditional_batch_norm"])
    gan = _gan(architecture="infogan_arch")
    with caplog.at_level("WARNING", logger="compare_gan"):
        check_label_use(gan)
    assert "the generator ignores" not in caplog.text


def test_only_the_start_of_a_run_is_checked(tmp_path, tiny_run, finished_run, monkeypatch):
    checked = []
    monkeypatch.setattr(trainer, "check_label_use", checked.append)
    config.parse([], tiny_run)
    trainer.Trainer(Experiment.from_gin(), RunDir(str(tmp_path / "new")))
    assert len(checked) == 1
    finished_run(tmp_path / "run")
    trainer.Trainer(Experiment.from_gin(), RunDir(str(tmp_path / "run")))
    assert len(checked) == 1


def _zero_start():
    """Networks whose labels have no effect before the first step, because weights start at 0."""
    z, y = keras.Input((4,)), keras.Input((3,))
    shift = keras.layers.Dense(64, kernel_initializer="zeros", use_bias=False)(y)
    image = ops.sigmoid(keras.layers.Dense(64)(z) + shift)
    generator = keras.Model([z, y], keras.layers.Reshape(_SHAPE)(image))
    x, label = keras.Input(_SHAPE), keras.Input((3,))
    features = keras.layers.Dense(5)(keras.layers.Flatten()(x))
    scores = keras.layers.Dense(1)(features) + keras.layers.Dense(1, kernel_initializer="zeros")(
        label
    )
    return generator, keras.Model([x, label], [scores, features])


@pytest.mark.parametrize("kind", ["dummy", "batch norm", "zeros", "predictor"])
def test_networks_that_use_labels_pass_without_a_word(kind, caplog):
    """Also where batch norm would remove a shift that all images share, and at zero weights."""
    if kind == "zeros":
        generator, discriminator = _zero_start()
        gan = _gan(architecture=None, generator=generator, discriminator=discriminator)
    elif kind == "predictor":
        gan = _gan(
            S3GAN, norm=ConditionalBatchNorm, self_supervision="none", project_y=True,
            use_predictor=True,
        )  # fmt: skip
    else:
        if kind == "batch norm":
            config.parse([], ["G.batch_norm_fn = @batch_norm"])
        gan = _gan(architecture="dummy_arch")
    with caplog.at_level("WARNING", logger="compare_gan"):
        check_label_use(gan)
    assert "ignores labels" not in caplog.text


def test_noise_is_an_argument_of_the_compiled_function(monkeypatch):
    """As constants, JAX would compile as many numbers into the program as the networks have."""
    generator, discriminator = _zero_start()
    gan = _gan(architecture=None, generator=generator, discriminator=discriminator)
    on_jax = types.SimpleNamespace(backend=lambda: "jax")
    fake_keras = types.SimpleNamespace(backend=on_jax, StatelessScope=keras.StatelessScope)
    noise = []

    def compiled(function, variables):
        assert "added" not in function.__code__.co_freevars

        def call(*arguments):
            noise.append([np.shape(each) for each in arguments[3] if each is not None])
            return function(*arguments)

        return call

    monkeypatch.setattr(label_use, "keras", fake_keras)
    monkeypatch.setattr(label_use.backend, "compiled", compiled)
    check_label_use(gan)
    shapes = [tuple(v.shape) for v in (*generator.variables, *discriminator.variables)]
    assert noise == [[], [], shapes, shapes]
