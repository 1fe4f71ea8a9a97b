"""ContraGAN's 2C and ReACGAN's D2D-CE against a published program and the papers in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from compare_gan.errors import UserError
from compare_gan.gans.tasks import ContraGANTask, ReACGANTask, Seen
from compare_gan.gans.tasks.contrastive import ProxyHead

SECTION = "modern tasks"
TASKS = {
    "2c/t1.0": ContraGANTask(),
    "2c/t0.5": ContraGANTask(temperature=0.5),
    "d2d_ce/t0.5_mp0.98": ReACGANTask(weight_d=1.0, relative_to_largest=True),
    "d2d_ce/t0.75_mp0.98": ReACGANTask(temperature=0.75, weight_d=1.0, relative_to_largest=True),
    "d2d_ce/t1.0_mp0.95": ReACGANTask(
        temperature=1.0, margin=0.95, weight_d=1.0, relative_to_largest=True
    ),
}
EDGES = {
    f"{loss}/{edge}": TASKS[task]
    for loss, task in (("2c", "2c/t1.0"), ("d2d_ce", "d2d_ce/t0.5_mp0.98"))
    for edge in ("edge_distinct", "edge_same")
}


def _outputs(embeddings, proxies):
    """The outputs of a `ProxyHead` for embeddings before their normalization."""
    unit, units = (x / tf.norm(x, axis=1, keepdims=True) for x in (embeddings, proxies))
    return tf.concat([unit, tf.matmul(unit, units, transpose_b=True)], axis=1)


@pytest.mark.parametrize("case", (*TASKS, *EDGES))
def test_the_loss_is_that_of_a_published_program(golden, assert_golden, case):
    task = (TASKS | EDGES)[case]
    labels = golden[f"{case}/labels" if case in EDGES else "in/labels"]
    embed, proxies = (
        tf.constant(golden[f"in/{name}"].astype(np.float64)) for name in ("embed", "proxy_table")
    )
    with tf.GradientTape() as tape:
        tape.watch([embed, proxies])
        outputs = _outputs(embed[: len(labels)], proxies)
        seen = Seen(outputs, None, tf.constant(np.eye(4)[labels]))
        loss = task.discriminator_terms(real=seen, fake=None).total
    gradients = tape.gradient(loss, [embed, proxies])
    # Where all images are of one class, the loss vanishes.
    np.testing.assert_allclose(loss, golden[f"{case}/value"], rtol=1e-9, atol=1e-12)
    for name, gradient in zip(("embed", "proxy_table"), gradients, strict=True):
        key = f"{case}/grad_{name}"
        found = gradient[: len(labels)] if name == "embed" else gradient
        if np.abs(golden[key]).max() < 1e-12:
            np.testing.assert_allclose(found, golden[key], atol=1e-12)
        else:
            assert_golden(SECTION, key, found, golden[key], rtol=1e-9)


def _batch(unlabelled=()):
    random = np.random.RandomState(1)
    outputs = _outputs(*(tf.constant(random.normal(size=(n, 5))) for n in (7, 3))).numpy()
    labels = np.eye(3)[[0, 1, 1, 2, 0, 1, 0]]
    labels[list(unlabelled)] = 0
    return outputs, labels


def _paper(task, outputs, labels):
    """The papers' formulas, image by image, over the labelled images."""
    t, rows, losses = task.temperature, np.flatnonzero(labels.sum(axis=1)), []
    classes, embeddings, to_proxies = labels.argmax(axis=1), outputs[:, :5], outputs[:, 5:]
    for i in rows:
        own = to_proxies[i, classes[i]]
        pairs = [(classes[i] == classes[j], embeddings[i] @ embeddings[j]) for j in rows if j != i]
        if task.name == "contra_gan":
            positive = np.exp(own / t) + sum(np.exp(s / t) for same, s in pairs if same)
            negative = sum(np.exp(s / t) for same, s in pairs if not same)
        else:
            low = 1 - task.margin
            positive = np.exp(min(own - task.margin, 0) / t)
            negative = sum(np.exp(max(s - low, 0) / t) for same, s in pairs if not same)
        losses.append(-np.log(positive / (positive + negative)))
    return np.mean(losses)


@pytest.mark.parametrize("unlabelled", ((), (1, 4)))
@pytest.mark.parametrize(
    "task", (ContraGANTask(temperature=0.7), ReACGANTask(margin=0.9)), ids=lambda t: t.name
)
def test_the_loss_is_that_of_the_paper(task, unlabelled):
    outputs, labels = _batch(unlabelled)
    seen = Seen(tf.constant(outputs), None, tf.constant(labels))
    d, g = task.discriminator_terms(real=seen, fake=None), task.generator_terms(fake=seen)
    expected = _paper(task, outputs, labels)
    for terms, half, weight in ((d, "real", task.weight_d), (g, "fake", task.weight_g)):
        np.testing.assert_allclose(terms.parts[f"{task.name}_{half}"], expected, rtol=1e-10)
        np.testing.assert_allclose(terms.total, weight * expected, rtol=1e-10)
        shown = labels.sum(axis=1) > 0
        correct = outputs[:, 5:].argmax(axis=1) == labels.argmax(axis=1)
        accuracy = terms.measures[f"{task.name}_accuracy_{half}"]
        np.testing.assert_allclose(accuracy, correct[shown].mean(), rtol=1e-10)


@pytest.mark.parametrize("task", (ContraGANTask(), ReACGANTask()), ids=lambda t: t.name)
def test_a_batch_without_labels_has_no_loss_and_no_gradient(task):
    outputs, labels = (tf.constant(x, tf.float32) for x in _batch(range(7)))
    with tf.GradientTape() as tape:
        tape.watch(outputs)
        loss = task.discriminator_terms(real=Seen(outputs, None, labels), fake=None).total
    assert float(loss) == 0
    np.testing.assert_array_equal(tape.gradient(loss, outputs), np.zeros(outputs.shape))


def test_small_temperatures_do_not_overflow():
    outputs, labels = (tf.constant(x, tf.float32) for x in _batch())
    for make in (ContraGANTask, ReACGANTask):
        seen = Seen(outputs, None, labels)
        assert np.isfinite(make(temperature=0.001).generator_terms(fake=seen).total)


def test_a_head_returns_unit_embeddings_and_similarities():
    head = ProxyHead(4, 3, spectral_norm=True, name="discriminator_reacgan")
    features = np.random.RandomState(0).normal(size=(5, 6)).astype(np.float32)
    features[2] = 0  # Its embedding is zero as well: there is no direction.
    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = head(x)
    assert np.all(np.isfinite(tape.gradient(outputs, x)))
    hidden = head.embed(features).numpy()
    lengths = np.linalg.norm(hidden, axis=1, keepdims=True)
    embeddings = hidden / np.maximum(lengths, 1e-8)
    proxies = head.proxies.numpy() / np.linalg.norm(head.proxies.numpy(), axis=1, keepdims=True)
    expected = np.concatenate([embeddings, embeddings @ proxies.T], axis=1)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    assert {v.path for v in head.variables} == {
        f"discriminator_reacgan/{name}"
        for name in ("embedding/kernel", "embedding/u_var", "embedding/bias", "proxies")
    }
    assert ProxyHead.from_config(head.get_config()).get_config() == head.get_config()


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: ContraGANTask(temperature=0), r"contra_gan\.temperature must be above 0"),
        (lambda: ContraGANTask(dimension=0), r"contra_gan\.dimension must be a positive integer"),
        (lambda: ReACGANTask(margin=1.5), r"reacgan\.margin must be between 0 and 1, received 1"),
        (lambda: ReACGANTask().check((8, 8, 3), None), "'reacgan' needs a conditional GAN"),
    ),
)
def test_mistakes_are_reported(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
