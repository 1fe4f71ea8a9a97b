"""InfoGAN's task against SciPy, and its codes in latents."""

import gin
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from compare_gan.config.checks import check_bindings
from compare_gan.datasets import EvaluationLatents, InfoCodes, LatentDistribution, codes, latents
from compare_gan.datasets.latents import normal
from compare_gan.errors import UserError
from compare_gan.gans.tasks import InfoTask, Seen
from compare_gan.gans.tasks.info import InfoHead

CODES = InfoCodes(categories=(3, 2), continuous=2)


def test_latents_have_one_hot_codes_between_noise_and_continuous_codes():
    plain = LatentDistribution(normal, stddev=2.0).draw([4, 6, 9], [1, 2]).numpy()
    coded = LatentDistribution(InfoCodes((3, 2), 2, latents=normal), stddev=2.0)
    z = coded.draw([4, 6, 9], [1, 2]).numpy()
    np.testing.assert_array_equal(z[..., :2], plain[..., :2])
    np.testing.assert_array_equal(z[..., 7:], plain[..., 7:])
    np.testing.assert_array_equal(z[..., 2:5], np.eye(3)[plain[..., 2:5].argmax(-1)])
    np.testing.assert_array_equal(z[..., 5:7], np.eye(2)[plain[..., 5:7].argmax(-1)])


def test_compiled_latents_and_those_of_numpy_are_the_same(monkeypatch):
    """Training draws them in a compiled input pipeline, on JAX without TensorFlow."""
    draw = LatentDistribution(CODES).draw
    expected = draw([4, 6, 9], [1, 2]).numpy()
    compiled = tf.function(lambda: draw([4, 6, 9], [1, 2]), autograph=False)
    np.testing.assert_array_equal(compiled(), expected)
    for module in (latents, codes):
        monkeypatch.setattr(module, "in_tensorflow", lambda value: False)
    found = draw([4, 6, 9], [1, 2])
    assert type(found) is np.ndarray
    np.testing.assert_array_equal(found, expected)


def test_the_values_of_a_code_are_equally_frequent():
    counts = LatentDistribution(InfoCodes((4,), 0)).draw([10_000, 4], [0, 0]).numpy().sum(axis=0)
    # Five standard deviations of a count.
    np.testing.assert_allclose(counts, 2500, atol=5 * np.sqrt(10_000 * 0.25 * 0.75))


def test_codes_are_read_from_one_hot_and_from_other_latents():
    for distribution in (CODES, normal):
        z = LatentDistribution(distribution).draw([50, 9], [3, 4])
        (first, second), values = CODES.split(z)
        np.testing.assert_array_equal(first, np.eye(3)[z.numpy()[:, 2:5].argmax(axis=1)])
        np.testing.assert_array_equal(second, np.eye(2)[z.numpy()[:, 5:7].argmax(axis=1)])
        np.testing.assert_array_equal(values, z[:, 7:])


def test_truncation_leaves_categorical_codes_as_they_are():
    whole, narrow = (LatentDistribution(CODES).draw([50, 9], [3, 4], t).numpy() for t in (1, 0.1))
    np.testing.assert_array_equal(whole[:, 2:7], narrow[:, 2:7])
    np.testing.assert_allclose(0.1 * whole[:, 7:], narrow[:, 7:], rtol=1e-4, atol=1e-6)
    untruncated = InfoCodes((2,), latents=lambda shape, seed: tf.zeros(shape))
    with pytest.raises(UserError, match="has no parameter 'truncation'"):
        LatentDistribution(untruncated).draw([2, 4], [0, 0], 0.5)


def test_gin_gives_the_task_and_the_latents_the_same_codes():
    gin.parse_config("""
        info_codes.categories = (5,)
        info_codes.continuous = 1
        eval_z.distribution_fn = @info_codes()
    """)
    check_bindings()
    assert InfoTask().codes == InfoCodes((5,), 1) == EvaluationLatents().distribution_fn
    assert EvaluationLatents().draw([7, 8], [0, 0]).numpy()[:, 2:7].sum() == 7
    assert EvaluationLatents().describe().startswith("info_codes[[5], 1, uniform](minval=-1.0, ")
    gin.parse_config("z.distribution_fn = @info_codes")
    with pytest.raises(UserError, match=r"@info_codes is not a call: write @info_codes\(\)"):
        check_bindings()


def _outputs():
    random = np.random.RandomState(0)
    return random.normal(size=(6, 9)), random.uniform(-1, 1, size=(6, 9))


def test_terms_are_the_likelihoods_of_the_codes():
    outputs, z = _outputs()
    task = InfoTask(CODES, weight=2.0, weight_continuous=0.1)
    seen = Seen(tf.constant(outputs), None, None)
    d = task.discriminator_terms(real=None, fake=seen, z=tf.constant(z))
    categorical, correct = 0.0, []
    for start, stop in ((0, 3), (3, 5)):
        logits, code = outputs[:, start:stop], z[:, 2 + start : 2 + stop].argmax(axis=1)
        categorical -= scipy.special.log_softmax(logits, axis=1)[range(6), code].mean()
        correct.append(logits.argmax(axis=1) == code)
    likelihood = scipy.stats.norm(outputs[:, 5:7], np.exp(outputs[:, 7:])).logpdf(z[:, 7:])
    continuous = -likelihood.sum(axis=1).mean()
    # The least variance, 1e-6, is added to variances of about 1.
    np.testing.assert_allclose(d.parts["info_categorical_discriminator"], categorical, rtol=1e-10)
    np.testing.assert_allclose(d.parts["info_continuous_discriminator"], continuous, rtol=1e-4)
    np.testing.assert_allclose(d.total, 2 * categorical + 0.1 * continuous, rtol=1e-5)
    np.testing.assert_allclose(d.measures["info_accuracy_discriminator"], np.mean(correct))
    g = task.generator_terms(fake=seen, z=tf.constant(z))
    assert float(g.total) == float(d.total) and not set(g.parts) & set(d.parts)


@pytest.mark.parametrize(
    ("of_one_kind", "kind"),
    ((InfoCodes((3,), 0), "categorical"), (InfoCodes((), 2), "continuous")),
    ids=("categorical", "continuous"),
)
def test_codes_of_one_kind(of_one_kind, kind):
    outputs, z = _outputs()
    units = InfoTask(of_one_kind).make_head(False).units
    terms = InfoTask(of_one_kind).generator_terms(
        Seen(tf.constant(outputs[:, :units]), None, None), z=tf.constant(z)
    )
    [name] = terms.parts
    assert name == f"info_{kind}_generator" and float(terms.total) == float(terms.parts[name])


def test_an_exact_prediction_has_a_finite_likelihood():
    outputs, z = tf.constant([[0.5, -50.0]]), tf.constant([[0.5]])
    with tf.GradientTape() as tape:
        tape.watch([outputs, z])
        seen = Seen(outputs, None, None)
        terms = InfoTask(InfoCodes((), 1)).generator_terms(seen, z=z)
    np.testing.assert_allclose(terms.total, 0.5 * np.log(2 * np.pi * 1e-6), rtol=1e-5)
    gradient, of_the_code = tape.gradient(terms.total, [outputs, z])
    assert np.all(np.isfinite(gradient)) and of_the_code is None


def test_a_head_has_a_hidden_layer_with_a_leaky_relu():
    head = InfoHead(4, 3, name="discriminator_info")
    x = np.random.RandomState(0).normal(size=(5, 6)).astype(np.float32)
    found = head(x)
    for variable in head.variables:
        variable.assign(np.random.RandomState(1).normal(size=variable.shape))
    found = head(x)
    hidden = x @ head.hidden.kernel.numpy() + head.hidden.bias.numpy()
    dense = head.codes.dense
    expected = np.maximum(hidden, 0.1 * hidden) @ dense.kernel.numpy() + dense.bias.numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    assert InfoHead.from_config(head.get_config()).get_config() == head.get_config()


@pytest.mark.parametrize(
    ("make", "sentence"),
    (
        (lambda: InfoCodes(10), "categories must be a list of integers of at least 2.* 10"),
        (lambda: InfoCodes(continuous=True), "continuous must be an integer .* True"),
        (lambda: InfoCodes((1,)), r"categories must be a list of integers of at least 2.*\(1,\)"),
        (lambda: InfoCodes(continuous=-1), "continuous must be an integer of at least 0"),
        (lambda: InfoCodes((), 0), "info_codes needs a code"),
        (lambda: InfoTask("codes"), r"info\.codes must be @info_codes\(\), received 'codes'"),
        (lambda: InfoTask(weight=-1), r"info\.weight must be at least 0, received -1"),
        (lambda: InfoTask(CODES).check((8, 8, 1), None, z_dim=6), "at least 7, received 6"),
        (lambda: CODES(shape=[2, 6], seed=[0, 0]), "at least 7, received 6"),
    ),
)
def test_mistakes_are_reported(make, sentence):
    with pytest.raises(UserError, match=sentence):
        make()
