"""The smallest networks that fulfil the architectures' contract, and their losses in NumPy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from compare_gan.layers import BatchNorm, Dense
from compare_gan.penalties import FunctionPenalty

IMAGE_SHAPE = (4, 4, 1)
NUM_CLASSES = 3
Z_DIM = 5


class Generator(keras.Model):
    """One dense layer on latent and label, optional batch norm, a sigmoid."""

    def __init__(self, image_shape, batch_norm_fn=None, name="generator"):
        super().__init__(name=name)
        self.image_shape = tuple(image_shape)
        self.batch_norm_fn = batch_norm_fn
        self.calls = 0
        self.fc = Dense(math.prod(image_shape), kernel_initializer="glorot_normal", name="fc")
        self.norm = None if batch_norm_fn is None else batch_norm_fn(name="bn")

    def call(self, inputs, training=None):
        self.calls += 1
        z, y = inputs
        x = self.fc(z if y is None else ops.concatenate([z, y], axis=1))
        if self.norm is not None:
            x = self.norm(x, training=training)
        return ops.reshape(ops.sigmoid(x), (-1, *self.image_shape))


class Discriminator(keras.Model):
    """One hidden layer; with `project_y`, a projection onto the embedding of the label."""

    def __init__(
        self,
        image_shape,
        batch_norm_fn=None,
        spectral_norm=False,
        project_y=True,
        name="discriminator",
    ):
        super().__init__(name=name)
        self.batch_norm_fn = batch_norm_fn
        self.spectral_norm = spectral_norm
        self.project_y = project_y
        self.calls = 0
        options = {"spectral_norm": spectral_norm, "kernel_initializer": "glorot_normal"}
        self.hidden = Dense(6, name="hidden", **options)
        self.norm = None if batch_norm_fn is None else batch_norm_fn(name="bn")
        self.fc = Dense(1, name="fc", **options)
        if project_y:
            self.embed = Dense(6, use_bias=False, name="embed", **options)

    def build(self, input_shape):
        """Lets the first call build the layers: without labels, `embed` has no input."""

    def call(self, inputs, training=None):
        self.calls += 1
        x, y = inputs
        h = self.hidden(ops.reshape(x, (ops.shape(x)[0], -1)), training=training)
        if self.norm is not None:
            h = self.norm(h, training=training)
        # Smooth, so that finite differences cross no kink.
        h = ops.tanh(h)
        logits = self.fc(h, training=training)
        if self.project_y and y is not None:
            logits += ops.sum(h * self.embed(y, training=training), axis=1, keepdims=True)
        return logits, h


class Architecture:
    """Both networks with their own options, as gin passes them to a real architecture."""

    def __init__(self, generator=(), discriminator=()):
        class BoundGenerator(Generator):
            def __init__(self, image_shape, **options):
                super().__init__(image_shape, **(dict(generator) | options))

        class BoundDiscriminator(Discriminator):
            def __init__(self, image_shape, **options):
                super().__init__(image_shape, **(dict(discriminator) | options))

        self.Generator, self.Discriminator = BoundGenerator, BoundDiscriminator


def make_gan(
    gan_class,
    generator=(),
    discriminator=(),
    num_classes=NUM_CLASSES,
    penalty=None,
    lamba=1,
    **options,
):
    """A GAN on the dummy networks, with weights moved off their (partly zero) initial values.

    `penalty` is the name of a penalty function, `lamba` its weight.
    """
    keras.utils.set_random_seed(7)
    if penalty:
        options["penalties"] = [FunctionPenalty(penalty, lamba)]
    gan = gan_class(
        IMAGE_SHAPE, num_classes, Architecture(generator, discriminator), z_dim=Z_DIM, **options
    )
    random = np.random.RandomState(3)
    for variable in gan.generator_variables + gan.discriminator_variables:
        variable.assign(variable + 0.3 * random.normal(size=variable.shape))
    return gan


def make_batch(size=8, unlabelled=(), soft=False, seed=0):
    """A batch of NumPy arrays; the rows `unlabelled` of `labels` are zero."""
    random = np.random.RandomState(seed)
    labels = np.eye(NUM_CLASSES)[random.randint(NUM_CLASSES, size=size)]
    if soft:
        labels = 0.7 * labels + 0.3 * random.dirichlet(np.ones(NUM_CLASSES), size=size)
    labels[list(unlabelled)] = 0
    return {
        "images": random.uniform(size=(size, *IMAGE_SHAPE)).astype(np.float32),
        "z": random.uniform(-1, 1, size=(size, Z_DIM)).astype(np.float32),
        "labels": labels.astype(np.float32),
        "fake_labels": np.eye(NUM_CLASSES, dtype=np.float32)[random.randint(3, size=size)],
        "seed": np.array([seed, 11], dtype=np.int32),
    }


class Reference:
    """Losses of a GAN on the dummy networks, by the papers' formulas in float64 NumPy.

    `weights` (by variable path) may be changed; labels are predicted with the initial weights,
    which reproduces the stopped gradient.

    Args:
      gan: A ModularGAN, SSGAN or S3GAN on the dummy networks, without spectral norm.
      batch: A batch of NumPy arrays.
      num_rotated: Number of images of each half that are rotated; 0 for none.
      penalty: `None`, `wgangp` or `l2`.
    """

    def __init__(self, gan, batch, num_rotated=0, penalty=None):
        self.gan, self.batch, self.n, self.penalty = gan, batch, num_rotated, penalty
        variables = gan.generator_variables + gan.discriminator_variables
        self.weights = {v.path: v.value.numpy().astype(np.float64) for v in variables}
        self.start = dict(self.weights)
        self.s3gan_projection = getattr(gan, "project_y", False)
        self.predictor = getattr(gan, "use_predictor", False)

    def generate(self):
        z, y = self.batch["z"], self.batch["fake_labels"]
        inputs = np.concatenate([z, y], axis=1) if self.gan.conditional else z
        x = self._dense(self.weights, inputs, "generator/fc")
        return (1 / (1 + np.exp(-x))).reshape(-1, *IMAGE_SHAPE)

    def discriminator_total(self, fake):
        gan, x, b = self.gan, self.batch["images"], len(self.batch["images"])
        y = self.real_labels()
        real, fake_scores = self._both_halves((x, y), (fake, self.batch["fake_labels"]))
        total = gan.adversarial_weight * (
            np.logaddexp(0, -real["logits"][:b]).mean()
            + np.logaddexp(0, fake_scores["logits"][:b]).mean()
        )
        if self.penalty:
            total += gan.penalties[0].weight * getattr(self, f"_{self.penalty}")(x, fake, y)
        if self.n:
            total += gan.weight_rotation_loss_d * self._rotation_loss(real)
        if self.predictor:
            has = y.sum(axis=1) > 0.5
            log_p = _log_softmax(real["class_prediction"][:b])
            total += gan.weight_class_loss * -(y * log_p).sum(axis=1)[has].mean()
        return total

    def generator_total(self):
        fake, y = self.generate(), self.batch["fake_labels"]
        scores = self._both_halves((self.batch["images"], self.real_labels()), (fake, y))[1]
        b = len(fake)
        total = self.gan.adversarial_weight * np.logaddexp(0, -scores["logits"][:b]).mean()
        if self.n:
            total += self.gan.weight_rotation_loss_g * self._rotation_loss(scores)
        return total

    def real_labels(self):
        y = self.batch["labels"].astype(np.float64)
        if not hasattr(self.gan, "use_soft_labels") or self.gan.use_soft_labels:
            return y
        return np.eye(NUM_CLASSES)[y.argmax(axis=1)] * (y.sum(axis=1, keepdims=True) > 0.5)

    def _both_halves(self, *halves):
        rows = [self._with_rotations(*half) for half in halves]
        if self.gan.deprecated_split_disc_calls:
            return [self._scores(*half) for half in rows]
        joint = self._scores(*(np.concatenate(part) for part in zip(*rows, strict=True)))
        m = len(rows[0][0])
        return [{k: v[i * m : (i + 1) * m] for k, v in joint.items()} for i in range(2)]

    def _with_rotations(self, x, y):
        if not self.n:
            return x, y
        rows = self._rows_to_turn()
        turned = [np.rot90(x[rows], k, axes=(1, 2)) for k in (1, 2, 3)]
        return np.concatenate([x, *turned]), np.concatenate([y, *[y[rows]] * 3])

    def _rows_to_turn(self):
        """Every (b/n)-th row, so that parts of a batch rotate the same images as the whole."""
        stride = len(self.batch["images"]) // self.n
        return np.arange(self.n) * stride + stride - 1

    def _rotation_loss(self, scores):
        b, n = len(self.batch["images"]), self.n
        logits = np.concatenate([scores["rotation"][self._rows_to_turn()], scores["rotation"][b:]])
        log_p = _log_softmax(logits).reshape(4, n, 4)
        return -np.mean([log_p[k, :, k] for k in range(4)])

    def _scores(self, x, y):
        h = self._features(self.weights, x)
        logits = self._dense(self.weights, h, "discriminator/fc")
        logits = logits + (h * self._embedding(x, y)).sum(axis=1, keepdims=True)
        scores = {"logits": logits}
        if self.n:
            scores["rotation"] = self._dense(
                self.weights, h, "discriminator_rotation/score_classify"
            )
        if self.predictor:
            scores["class_prediction"] = self._class_logits(self.weights, h)
        return scores

    def _embedding(self, x, y):
        """The embedding of each label, onto which the features are projected."""
        if self.s3gan_projection:
            if self.predictor:
                logits = self._class_logits(self.start, self._features(self.start, x))
                if self.gan.use_soft_pred:
                    predicted = np.exp(_log_softmax(logits))
                else:
                    predicted = np.eye(NUM_CLASSES)[logits.argmax(axis=1)]
                y = np.where(y.sum(axis=1, keepdims=True) > 0.5, y, predicted)
            return y @ self.weights["discriminator_projection/kernel"]
        if self.gan.conditional and self.gan.discriminator.project_y:
            return y @ self.weights["discriminator/embed/kernel"]
        return np.zeros((len(x), 1))

    def _features(self, weights, x):
        h = self._dense(weights, x.reshape(len(x), -1), "discriminator/hidden")
        if self.gan.discriminator.norm is not None:
            h = (h - h.mean(axis=0)) / np.sqrt(h.var(axis=0) + 1e-3)
            h = h * weights["discriminator/bn/gamma"] + weights["discriminator/bn/beta"]
        return np.tanh(h)

    @staticmethod
    def _class_logits(weights, h):
        return Reference._dense(weights, h, "discriminator_predictor/predictor_linear")

    @staticmethod
    def _dense(weights, x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    def _wgangp(self, x, fake, y):
        """The slope in closed form: d/dx of v·tanh(Wx + b), where v is fc plus the embedding."""
        draws = tf.random.stateless_uniform((len(x), 1, 1, 1), self.batch["seed"]).numpy()
        points = x + draws * (fake - x)
        v = self.weights["discriminator/fc/kernel"].T + self._embedding(points, y)
        slope = (1 - self._features(self.weights, points) ** 2) * v
        gradient = slope @ self.weights["discriminator/hidden/kernel"].T
        norm = np.sqrt(1e-4 + np.square(gradient).sum(axis=1))
        return np.square(norm - 1).mean()

    def _l2(self, *_):
        trained = {v.path for v in self.gan.discriminator_variables if v.path.endswith("kernel")}
        return np.mean([np.square(self.weights[path]).sum() / 2 for path in trained])


def _log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


class _Tools:
    """The helpers that the tests of this folder share."""

    Reference = Reference
    IMAGE_SHAPE, NUM_CLASSES, Z_DIM = IMAGE_SHAPE, NUM_CLASSES, Z_DIM
    Architecture = Architecture
    Generator, Discriminator = Generator, Discriminator
    BatchNorm = BatchNorm
    make_gan = staticmethod(make_gan)
    make_batch = staticmethod(make_batch)


@pytest.fixture
def dummy():
    """Dummy networks, GANs, batches and the NumPy reference."""
    return _Tools
