"""Latents: the gin scopes `z` (training) and `eval_z` (evaluation and pictures).

A distribution is a function that asks by parameter name for what it needs: `shape` and `seed`
(two integers), and of the scope's parameters `minval`, `maxval`, `stddev`; one that can narrow
itself also for `truncation`. It must be stateless: equal seeds give equal numbers.
"""

import inspect
import statistics
from collections.abc import Callable, Sequence

import gin
import scipy.stats
import tensorflow as tf

from compare_gan.errors import UserError, check_range
from compare_gan.registry import call_with_requested

_EVAL = 0x65766C


@gin.configurable("uniform", module="tf.random")
def uniform(shape, seed, minval=-1.0, maxval=1.0, truncation=1.0) -> tf.Tensor:
    """Uniform draws from `truncation` times the interval [minval, maxval)."""
    return tf.random.stateless_uniform(shape, seed, truncation * minval, truncation * maxval)


@gin.configurable("normal", module="tf.random")
def normal(shape, seed, stddev=1.0, truncation=1.0) -> tf.Tensor:
    """Normal draws of mean 0; with truncation t < 1 none is beyond 2·t·stddev.

    BigGAN's truncation trick (Brock et al., 2019, https://arxiv.org/abs/1809.11096), whose
    threshold is 2·t here. For t < 1 the draws of one seed move towards 0 together as t falls.
    """
    if truncation == 1:
        return tf.random.stateless_normal(shape, seed, stddev=stddev)
    # By the inverse of the cumulative distribution: no draw is thrown away and drawn again.
    limit = 2.0 * truncation
    upper = statistics.NormalDist().cdf(limit)
    draws = tf.math.ndtri(tf.random.stateless_uniform(shape, seed, 1 - upper, upper))
    return stddev * tf.clip_by_value(draws, -limit, limit)


def draw_z(shape: Sequence[int], seed) -> tf.Tensor:
    """Latents for training, by the gin scope `z`.

    Args:
      shape: Of the result; its last axis is the latent's dimension.
      seed: int [2], tensor or sequence.

    Returns:
      float32 tensor of `shape`.
    """
    return _draw("z", _train_options(), shape=shape, seed=seed)


def draw_eval_z(num: int, z_dim: int, seed: int, truncation: float = 1.0) -> tf.Tensor:
    """Latents for evaluation and pictures, by the gin scope `eval_z`.

    Args:
      num: How many.
      z_dim: Dimension of each.
      seed: Equal seeds give equal latents.
      truncation: In (0, 1]; 1 leaves the distribution as it is, less narrows it (see `uniform` and
        `normal`): less variety, cleaner images.

    Returns:
      float32 [num, z_dim].

    Raises:
      UserError: `truncation` is not in (0, 1], or the distribution knows no truncation.
    """
    if not 0 < truncation <= 1:
        raise UserError(f"truncation must be above 0 and at most 1, received {truncation!r}.")
    # The second half of the seed keeps these draws apart from those of training.
    return _draw(
        "eval_z", _eval_options(), shape=[num, z_dim], seed=[seed, _EVAL], truncation=truncation
    )


def describe_eval_z() -> str:
    """The distribution of `draw_eval_z` in words, for protocols: `uniform(minval=-1.0, …)`."""
    options = _eval_options()
    distribution_fn = options.pop("distribution_fn")
    accepted = inspect.signature(distribution_fn).parameters
    shown = ", ".join(f"{name}={value}" for name, value in options.items() if name in accepted)
    return f"{getattr(distribution_fn, '__name__', distribution_fn)}({shown})"


def eval_z_marginal(truncation: float = 1.0):
    """The distribution of each coordinate of `draw_eval_z`, which are all independent.

    Args:
      truncation: As for `draw_eval_z`.

    Returns:
      A frozen distribution of `scipy.stats`; None for a `distribution_fn` that is not one of this
      module's.
    """
    options = _eval_options()
    distribution_fn, stddev = options["distribution_fn"], options["stddev"]
    if distribution_fn is uniform:
        low, high = truncation * options["minval"], truncation * options["maxval"]
        return scipy.stats.uniform(low, high - low)
    if distribution_fn is not normal:
        return None
    if truncation == 1:
        return scipy.stats.norm(0.0, stddev)
    return scipy.stats.truncnorm(-2.0 * truncation, 2.0 * truncation, scale=stddev)


def _options(
    distribution_fn: Callable = uniform,
    minval: float = -1.0,
    maxval: float = 1.0,
    stddev: float = 1.0,
) -> dict[str, object]:
    """What a scope says; a distribution takes of it what it knows."""
    return dict(distribution_fn=distribution_fn, minval=minval, maxval=maxval, stddev=stddev)


_train_options = gin.external_configurable(_options, "z")
_eval_options = gin.external_configurable(_options, "eval_z")


def _draw(scope: str, options: dict[str, object], truncation: float = 1.0, **available):
    distribution_fn = options["distribution_fn"]
    if not callable(distribution_fn):
        raise UserError(
            f"{scope}.distribution_fn must be a function such as @tf.random.normal, received "
            f"{distribution_fn!r}."
        )
    if not options["minval"] < options["maxval"]:
        raise UserError(
            f"{scope}.minval must be less than {scope}.maxval, received {options['minval']!r} and "
            f"{options['maxval']!r}."
        )
    check_range(f"{scope}.stddev", options["stddev"])
    purposes = {"seed": "reproducible draws need"}
    if truncation != 1:
        purposes["truncation"] = f"sampling with truncation {truncation} needs"
    accepted = inspect.signature(distribution_fn).parameters
    for parameter, purpose in purposes.items():
        if parameter not in accepted:
            name = getattr(distribution_fn, "__name__", distribution_fn)
            raise UserError(
                f"{scope}.distribution_fn = @{name} has no parameter '{parameter}', which "
                f"{purpose}."
            )
    draws = call_with_requested(distribution_fn, truncation=truncation, **available, **options)
    return tf.cast(draws, tf.float32)
