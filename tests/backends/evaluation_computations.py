"""Sampling, features and scores, under the Keras backend of the environment.

`python evaluation_computations.py OUT.npz` writes one array per key, `section/…`, without
TensorFlow, unless it is the backend. Weights and images are derived from the names of their uses,
so that they are the same in every process.
"""

import dataclasses
import os
import sys
import tempfile
import types
import zlib
from importlib.machinery import PathFinder
from unittest import mock

if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":  # As if it were not installed.
    _find = PathFinder.find_spec
    PathFinder.find_spec = lambda name, *args: None if name == "tensorflow" else _find(name, *args)

import gin
import keras
import numpy as np
from keras import ops

import compare_gan
from compare_gan import backend, hub, metrics, sampling
from compare_gan.architectures import dcgan, dummy
from compare_gan.datasets.dataset import Dataset
from compare_gan.datasets.latents import LatentDistribution, normal
from compare_gan.datasets.sources import ArraySource
from compare_gan.errors import UserError
from compare_gan.evaluation import EvaluationOptions, evaluate_generator
from compare_gan.metrics import extractors, networks
from compare_gan.metrics.extractors import inception_2015, resizing

_CLASSES, _Z_DIM, _NUM = 3, 4, 120
_METRICS = (
    "fid", "intra_fid", "kid", "inception_score", "precision_recall", "memorization", "ms_ssim",
    "vendi", "ppl", "jacobian_conditioning", "cas",
)  # fmt: skip
_SMALL = (
    "kid.subset_size = 50",
    "ppl.num_samples = 60",
    "ppl.batch_size = 20",
    "jacobian_conditioning.num_samples = 6",
    "ms_ssim.pairs_per_class = 10",
    "cas.steps = 10",
    "cas.batch_size = 16",
    "cas.width = 2",
)


def numbers(name, shape=(), low=None):
    """float32 draws derived from the name: normal, or uniform from `low` to 1."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    drawn = random.normal(size=shape) if low is None else random.uniform(low, 1, size=shape)
    return np.asarray(drawn, np.float32)


def images(name, num, side=28, channels=1, labels=None):
    """uint8 images: a ramp, brighter from top to bottom, and noise; brighter for higher labels."""
    bright = numbers(name, (num, 1, 1, 1), 0)
    if labels is not None:
        bright = 0.2 * bright + labels[:, None, None, None] / _CLASSES
    ramp = np.linspace(20, 160, side)[:, None, None] * bright
    return (ramp + 90 * numbers(f"{name}_noise", (num, side, side, channels), 0)).astype(np.uint8)


def fill(network):
    """Assigns every weight a value derived from its path, of a scale that preserves signals."""
    for weight in network.weights:
        values = numbers(weight.path, weight.shape)
        if len(weight.shape) > 1:
            values /= np.sqrt(np.prod(weight.shape[:-1]))
        if not weight.name.startswith(("accu_", "update_")):
            weight.assign(values)


def _draw(initializer, shape, dtype=None, **kwargs):
    """Replaces the initial weights of the networks that metrics train: backends draw others."""
    scale = np.sqrt(np.prod(shape[:-1]))
    return ops.convert_to_tensor((numbers(str(shape), shape) / scale).astype(np.float32))


def make_sampler():
    """A small conditional generator with standing statistics."""
    gin.parse_config("standardize_batch.use_moving_averages = False")
    network = dcgan.Generator((28, 28, 1), ch=2, batch_norm_fn="conditional_batch_norm")
    sampler = sampling.Sampler(
        network, _Z_DIM, (28, 28, 1), num_classes=_CLASSES, class_names=["a", "b", "c"],
        distribution=LatentDistribution(normal),
        standing_statistics=sampling.StandingStatistics(num_batches=4, batch_size=16),
    )  # fmt: skip
    assert sampler.variables  # Builds the network.
    gin.clear_config()
    fill(network)
    return sampler


def compute_samples(sampler):
    yield "batch_norm", np.array(sampler.prepare().encode())
    drawn, labels = sampler.sample(10, seed=5, labels=None, batch_size=4)
    yield "images", drawn
    yield "labels", labels
    yield "latents", sampler.latents(5, 1)
    yield from ((v.path, v.numpy()) for v in sampler.network.variables if "accu_" in v.path)
    narrow = dataclasses.replace(sampler, truncation=0.5)
    yield "grid", sampling.sample_grid(narrow, columns=2, seed=2)
    with tempfile.TemporaryDirectory() as folder:
        path = sampling.write_images(sampler, os.path.join(folder, "new.npz"), 3)
        with np.load(path) as file:
            yield "written", file["arr_0"]


def compute_features(_):
    extractor = extractors.FashionCnn()
    for name, given in (
        ("gray", images("gray", 32)),
        ("padded_rgb", images("rgb", 4, side=32, channels=3)),
        ("large", images("large", 4, side=40)),
    ):
        yield f"{name}/features", extractor(given)[0]
        yield f"{name}/logits", extractor(given)[1]
    yield "hash", np.array(extractor.weights_hash.encode())
    small, sizes = images("small", 3, side=9, channels=3), ((4, 5), (14, 20), (9, 9))
    resize = backend.compiled(lambda x: [resizing.tf1_bilinear(x, size) for size in sizes])
    for size, resized in zip(sizes, resize(small), strict=True):
        yield f"tf1_bilinear/{size}", resized
        yield f"clean/{size}", resizing.clean(small, size)
    inputs = keras.Input((6, 6, 3))
    maps = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    model = keras.Model(inputs, [maps, keras.layers.Dense(2, name="dense")(maps[:, 0, 0])])
    fill(model)
    for resizer in resizing.RESIZERS:
        extractor = extractors.KerasModel(model, value_range=(-1, 1), resizer=resizer)
        for channels in (1, 3):
            features, logits = extractor(images("model", 2, side=8, channels=channels))
            yield f"keras_model/{resizer}/{channels}/features", features
            yield f"keras_model/{resizer}/{channels}/logits", logits
    yield "keras_model/hash", np.array(extractor.weights_hash.encode())


def compute_scores(sampler):
    """All of an evaluation, and the scores of two sets of images."""
    labels = np.arange(_NUM, dtype=np.int32) % _CLASSES
    real = images("real", _NUM, labels=labels)
    source = ArraySource.from_arrays({"train": (real, labels)}, class_names=["a", "b", "c"])
    options = EvaluationOptions(
        metrics=_METRICS, extractor="fashion_cnn", split="train", num_fake=_NUM, batch_size=50
    )
    gin.parse_config(_SMALL)
    try:
        row = evaluate_generator(sampler, Dataset("made", source), options, averaging_runs=1)
        sets = compare_gan.score(real[:60], real[60:], ["fid"], extractor="fashion_cnn")
    finally:
        gin.clear_config()
    yield from ((f"generator/{name}", score.mean) for name, score in row.scores.items())
    yield from ((f"sets/{name}", score) for name, score in sets.scores.items())


def compute_derivatives(sampler):
    z, y = sampler.latents(2), sampler.labels(2)
    yield "jacobians", np.stack(list(metrics.generator_jacobians(sampler, z, y, batch_size=3)))
    derivative = backend.compiled(lambda x: backend.gradient(backend.lgamma, x))
    yield "of_lgamma", derivative(numbers("x", (5,), 0.1))
    x = ops.ones(2)
    yield "where_x_is_ignored", backend.directional_derivative(lambda x: ops.ones(2), x, x)


def compute_training(sampler):
    """Networks that metrics train: after few steps, before rounding can grow."""
    model = networks.build_cnn((8, 8, 1), 3, width=2, seed=0, norm=True)
    labels = np.arange(8, dtype=np.int32) % 3

    def loss(x, y):
        logits = model(x, training=True)
        return ops.mean(ops.sparse_categorical_crossentropy(y, logits, from_logits=True))

    networks.train(model, loss, [(numbers(f"x{i}", (8, 8, 8, 1)), labels) for i in "123"], 3, 1e-3)
    yield from ((f"{i}_{v.name}", v) for i, v in enumerate(model.variables))
    bounded = dataclasses.replace(sampler, distribution=LatentDistribution())
    yield "gilbo", metrics.gilbo(bounded, steps=4, batch_size=8, num_samples=40, width=2)


def compute_exports(sampler):
    """The images of an exported generator, without classes of this library but layers."""
    discriminator = dummy.Discriminator((28, 28, 1))
    discriminator((keras.Input((28, 28, 1)), keras.Input((_CLASSES,))))
    state = types.SimpleNamespace(gan=types.SimpleNamespace(discriminator=discriminator))
    model = types.SimpleNamespace(sampler=sampler, state=state)
    z, y = sampler.latents(3), sampler.labels(3)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "generator.keras")
        written = hub.export(model, path, discriminator=True)
        assert sorted(map(os.path.basename, written)) == sorted(os.listdir(folder))
        loaded = dataclasses.replace(sampler, network=keras.saving.load_model(path))
        yield "images", backend.compiled(loaded, loaded.variables)(z, y)


def compute_tensor_float_32(_):
    """Whether it is off while scores are computed, as the extractor sees it, and afterwards."""

    class Seeing(extractors.Extractor):
        name, weights_hash, resizer, has_logits = "seeing", "", "none", False

        def forward(self, images):
            seen.append(_is_off())
            return ops.mean(ops.cast(images, "float32"), axis=(1, 2)), None

    seen = []
    given = images("given", 6, side=4)
    compare_gan.score(given, given, ["vendi"], extractor=Seeing())
    yield "off", np.array([*set(seen), _is_off()])


def _is_off():
    if keras.backend.backend() == "jax":
        import jax

        return jax.config.jax_default_matmul_precision == "highest"
    import tensorflow as tf

    return not tf.config.experimental.tensor_float_32_execution_enabled()


def compute_sentences(sampler):
    """The messages where TensorFlow is needed; only without it."""
    if keras.backend.backend() == "tensorflow":
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        state = types.SimpleNamespace(gan=types.SimpleNamespace(discriminator=None))
        model = types.SimpleNamespace(sampler=sampler, state=state)
        yield "export", _sentence(lambda: hub.export(model, path))
        yield "import", _sentence(lambda: hub.import_weights("model.ckpt", path))
        os.mkdir(path)
        open(os.path.join(path, "saved_model.pb"), "wb").close()
        yield "saved_model", _sentence(lambda: extractors.SavedModel(path))
        yield "inception_hub", _sentence(lambda: extractors.Inception(path))
        graph = os.path.join(path, inception_2015.GRAPH)
        open(graph, "wb").close()
        yield "inception_graph", _sentence(lambda: extractors.Inception(graph))
    yield "tfgan", np.array(metrics.SlicedWasserstein().inapplicable(None, None).encode())


def _sentence(fails):
    try:
        fails()
    except UserError as error:
        return np.array(str(error).encode())
    raise AssertionError("nothing was refused")


SECTIONS = {
    "samples": compute_samples,
    "features": compute_features,
    "scores": compute_scores,
    "derivatives": compute_derivatives,
    "training": compute_training,
    "exports": compute_exports,
    "tensor_float_32": compute_tensor_float_32,
    "sentences": compute_sentences,
}


def compute():
    """All arrays by key."""
    computed = {}
    with mock.patch.object(keras.initializers.HeNormal, "__call__", _draw):
        sampler = make_sampler()
        for section, compute_section in SECTIONS.items():
            for key, value in compute_section(sampler):
                computed[f"{section}/{key}"] = np.asarray(ops.convert_to_numpy(value))
    computed["modules"] = np.array(sorted(sys.modules))
    return computed


if __name__ == "__main__":
    np.savez(sys.argv[1], **compute())
