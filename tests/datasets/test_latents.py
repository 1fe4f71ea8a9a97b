import gin
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from compare_gan import registry
from compare_gan.datasets import EvaluationLatents, TrainingLatents
from compare_gan.errors import UserError

_NUM, _DIM = 500, 40


@registry.gin_configurable("no_truncation", module="test_latents")
def _constant(shape, seed):
    return tf.fill(shape, tf.cast(seed[0], tf.float64))


@registry.gin_configurable("no_seed", module="test_latents")
def _unseeded(shape):
    return tf.zeros(shape)


def _draws(truncation=1.0, seed=7):
    z = EvaluationLatents().draw([_NUM, _DIM], [seed, 0], truncation)
    assert z.shape == (_NUM, _DIM)
    assert z.dtype == tf.float32
    return z.numpy().ravel()


def _training_draws():
    return TrainingLatents().draw([_NUM, _DIM], [1, 2]).numpy().ravel()


def _fits(draws, distribution):
    """Kolmogorov-Smirnov at 20,000 draws from a fixed seed: the test cannot fail by chance."""
    return scipy.stats.kstest(draws, distribution.cdf).pvalue > 0.01


def test_the_default_is_uniform_between_minus_one_and_one():
    assert _fits(_draws(), scipy.stats.uniform(-1, 2))
    assert _fits(
        TrainingLatents().draw([_NUM, _DIM], [1, 2]).numpy().ravel(), scipy.stats.uniform(-1, 2)
    )


def test_gin_sets_the_parameters_of_each_scope():
    gin.parse_config("z.minval = 0\neval_z.distribution_fn = @tf.random.normal\neval_z.stddev = 3")
    assert _fits(
        TrainingLatents().draw([_NUM, _DIM], [1, 2]).numpy().ravel(), scipy.stats.uniform(0, 1)
    )
    assert _fits(_draws(), scipy.stats.norm(0, 3))


def test_equal_seeds_give_equal_draws():
    np.testing.assert_array_equal(_draws(seed=1), _draws(seed=1))
    assert not np.array_equal(_draws(seed=1), _draws(seed=2))


def test_truncated_uniform_is_narrower():
    assert _fits(_draws(0.3), scipy.stats.uniform(-0.3, 0.6))
    np.testing.assert_allclose(_draws(0.3), 0.3 * _draws(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("truncation", [0.25, 0.9])
def test_truncated_normal_is_cut_at_twice_the_truncation(truncation):
    gin.parse_config("eval_z.distribution_fn = @tf.random.normal\neval_z.stddev = 1.5")
    limit = 2 * truncation
    assert _fits(_draws(truncation), scipy.stats.truncnorm(-limit, limit, scale=1.5))
    assert np.abs(_draws(truncation)).max() <= 1.5 * limit


def test_a_function_of_your_own_is_used():
    gin.parse_config("eval_z.distribution_fn = @test_latents.no_truncation")
    assert (_draws(seed=5) == 5).all()


def test_a_function_without_truncation_is_refused():
    gin.parse_config("eval_z.distribution_fn = @test_latents.no_truncation")
    with pytest.raises(UserError, match=r"eval_z.distribution_fn = @\w+ has no parameter 'truncat"):
        _draws(0.5)


def test_a_function_without_seed_is_refused():
    gin.parse_config("z.distribution_fn = @test_latents.no_seed")
    with pytest.raises(UserError, match=r"z.distribution_fn = @\w+ has no parameter 'seed'"):
        TrainingLatents()


@pytest.mark.parametrize("truncation", [0, -1, 1.5])
def test_truncation_outside_is_refused(truncation):
    with pytest.raises(UserError, match="truncation must be above 0 and at most 1"):
        EvaluationLatents().draw([2, 3], [0, 0], truncation)


def test_the_distribution_is_described_in_words():
    assert EvaluationLatents().describe() == "uniform(minval=-1.0, maxval=1.0)"
    gin.parse_config(["eval_z.distribution_fn = @tf.random.normal", "eval_z.stddev = 0.5"])
    assert EvaluationLatents().describe() == "normal(stddev=0.5)"


def test_a_distribution_that_is_no_function_is_refused():
    gin.parse_config("z.distribution_fn = 'normal'")
    with pytest.raises(UserError, match=r"z\.distribution_fn must be a function.*'normal'"):
        TrainingLatents()


@pytest.mark.parametrize(
    ("binding", "message"),
    (
        ("eval_z.minval = 1.0", r"eval_z\.minval must be less than eval_z\.maxval, received 1"),
        ("eval_z.stddev = -1", r"eval_z\.stddev must be at least 0, received -1"),
    ),
)
def test_values_out_of_range_are_refused(binding, message):
    gin.parse_config(binding)
    TrainingLatents()  # The other scope.
    with pytest.raises(UserError, match=message):
        EvaluationLatents()


@pytest.mark.parametrize("fn", ["uniform", "normal"])
@pytest.mark.parametrize("truncation", [1.0, 0.4])
def test_the_marginal_is_that_of_the_draws(fn, truncation):
    gin.parse_config(
        f"eval_z.distribution_fn = @tf.random.{fn}\neval_z.minval = -0.5\neval_z.stddev = 1.5"
    )
    assert _fits(_draws(truncation), EvaluationLatents().marginal(truncation))


def test_distributions_of_your_own_have_no_known_marginal():
    gin.parse_config("eval_z.distribution_fn = @test_latents.no_truncation")
    assert EvaluationLatents().marginal() is None
