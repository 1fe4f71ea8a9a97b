"""Writes models as the 2019 library did: TensorFlow 1 checkpoints and hub modules."""

import os

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from compare_gan import config, registry
from compare_gan.training.run_options import Options

_TF1 = tf.compat.v1
_DCGAN = ["G.batch_norm_fn = @batch_norm", "D.spectral_norm = True"]
# Two networks of the golden data, as the 2019 library's config had them, and a narrow one.
_NETS = {
    "dcgan32": ("dcgan_arch", None, _DCGAN),
    "dcgan32_ch8": (
        "dcgan_arch",
        None,
        [*_DCGAN, "dcgan.Generator.ch = 8", "dcgan.Discriminator.ch = 8"],
    ),
    "cifar_embedded": (
        "resnet_cifar_arch",
        10,
        [
            "G.batch_norm_fn = @conditional_batch_norm",
            "G.spectral_norm = True",
            "resnet_cifar.Generator.ch = 8",
            "resnet_cifar.Generator.embed_y = True",
            "resnet_cifar.Generator.embed_z = True",
            "resnet_cifar.Discriminator.ch = 8",
        ],
    ),
    "biggan32_ch8": (
        "resnet_biggan_arch",
        10,
        [
            "G.batch_norm_fn = @conditional_batch_norm",
            "G.spectral_norm = True",
            "D.spectral_norm = True",
            "spectral_norm.singular_value = 'auto'",
            "standardize_batch.use_moving_averages = False",
            "resnet_biggan.Generator.ch = 8",
            "resnet_biggan.Discriminator.ch = 8",
        ],
    ),
}


def write_checkpoint(folder, variables, step: int = 7) -> str:
    """A training checkpoint with slots and counters beside the variables; returns its prefix."""
    extra = {"global_step": np.int64(step), "beta1_power": np.float32(0.5)}
    for name in list(variables)[:3]:
        extra[f"{name}/Adam"] = extra[f"{name}/Adam_1"] = np.zeros_like(variables[name])
    return _save(os.path.join(folder, f"model.ckpt-{step}"), variables | extra)


def write_hub_module(folder, variables, z_dim: int, num_classes: int, epsilon: float) -> str:
    """A module for a batch of 8 with one generator; returns `folder`."""
    graph = tf.Graph()
    with graph.as_default(), _TF1.Session() as session:
        handles = _make(variables)
        z = _TF1.placeholder(tf.float32, (8, z_dim), name="z_for_eval")
        labels = _TF1.placeholder(tf.int32, (8,), name="labels")
        # Only the names and shapes at the ends matter: a graph is not run when it is imported.
        with tf.name_scope("generator/B1/bn1/batchnorm"):
            added = tf.reduce_mean(z) + tf.constant(epsilon, name="add/y")
        images = tf.ones((8, 32, 32, 3)) * added + tf.cast(labels[0], tf.float32)
        session.run([handle.initializer for handle in handles])
        builder = _TF1.saved_model.Builder(str(folder))
        signature = _TF1.saved_model.predict_signature_def(
            {"z": z, "labels": labels}, {"generated": images}
        )
        builder.add_meta_graph_and_variables(
            session,
            ["gen", "bs8"],
            {"default": signature},
            saver=_TF1.train.Saver(handles),
        )
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")  # ModuleDef(format=SAVED_MODEL)
    return str(folder)


def _save(prefix: str, values) -> str:
    with tf.Graph().as_default(), _TF1.Session() as session:
        handles = _make(values)
        session.run([handle.initializer for handle in handles])
        return _TF1.train.Saver(handles).save(session, prefix)


def _make(values) -> list:
    return [_TF1.get_variable(name, initializer=value) for name, value in values.items()]


class _Tools:
    """Files as the 2019 library saved them, with the values of the golden data."""

    write_checkpoint = staticmethod(write_checkpoint)
    write_hub_module = staticmethod(write_hub_module)

    def __init__(self, golden_value, old_name):
        self._golden_value = golden_value
        self._old_name = old_name

    def value(self, name: str, shape) -> np.ndarray:
        """The value of a variable, which follows from its name."""
        value = self._golden_value(name, shape)
        if value is None:
            start = {"moving_variance": 1, "accu_counter": 1e-12}.get(name.rsplit("/", 1)[-1], 0)
            value = np.full(shape, start)
        return np.asarray(value, np.float32)

    def variables(self, net: str) -> dict[str, np.ndarray]:
        """Each variable of a network of the golden data, by its name of 2019."""
        architecture, num_classes, bindings = _NETS[net]
        registry.load_all()
        gin.parse_config(bindings)
        family = registry.get("architecture", architecture)
        y_shape = None if num_classes is None else (2, num_classes)

        def build():
            for cls, shape in ((family.Generator, (2, 16)), (family.Discriminator, (2, 32, 32, 3))):
                network = cls(image_shape=(32, 32, 3))
                network.build((shape, y_shape))
                yield network

        return self._values(build)

    def gan_variables(self, gin_configs, gin_bindings, image_shape, num_classes):
        """By its name of 2019 each variable of the networks and heads of a config."""
        config.parse(gin_configs, gin_bindings)

        def build():
            gan = Options().make_gan(image_shape, num_classes)
            return gan.generator, gan.discriminator, *gan.heads.values()

        return self._values(build)

    def _values(self, build):
        """Of the variables of the parts that `build` returns, of which none is allocated."""
        with keras.StatelessScope(initialize_variables=False), tf.Graph().as_default():
            shapes = {self._old_name(v): tuple(v.shape) for p in build() for v in p.variables}
        keras.utils.clear_session(free_memory=False)
        gin.clear_config()
        return {name: self.value(name, shape) for name, shape in shapes.items()}


@pytest.fixture(name="old", scope="session")
def _old(golden_value, old_name):
    """Makers of what the 2019 library left behind."""
    return _Tools(golden_value, old_name)
