"""Latent distributions: the gin scopes `z` (training) and `eval_z` (evaluation and pictures).

A `distribution_fn` asks by parameter name for what it needs: `shape` and `seed` (two integers), and
of the distribution's parameters `minval`, `maxval`, `stddev`; one that can be narrowed also takes
`truncation`. It must be stateless: equal seeds give equal numbers.

`uniform` and `normal` draw with TensorFlow where Keras uses it or the seed is one of its tensors,
otherwise with NumPy: the same numbers, normal ones up to rounding (see `datasets.random`).
"""

from __future__ import annotations

import dataclasses
import inspect
import statistics
import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import gin
import keras
import numpy as np
import scipy  # It imports its parts when they are first used.

from compare_gan.datasets import random
from compare_gan.datasets.lazy import tf
from compare_gan.errors import UserError, check_range
from compare_gan.registry import call_with_requested
from compare_gan.types import Tensor


@gin.configurable("uniform", module="tf.random")
def uniform(
    shape: Sequence[int],
    seed: Any,
    minval: float = -1.0,
    maxval: float = 1.0,
    truncation: float = 1.0,
) -> Tensor:
    """Uniform draws from `truncation` times the interval [minval, maxval)."""
    draw = tf.random.stateless_uniform if in_tensorflow(seed) else random.uniform
    return draw(shape, seed, truncation * minval, truncation * maxval)


@gin.configurable("normal", module="tf.random")
def normal(shape: Sequence[int], seed: Any, stddev: float = 1.0, truncation: float = 1.0) -> Tensor:
    """Normal draws of mean 0; with truncation t < 1 none is beyond 2·t·stddev.

    BigGAN's truncation trick (Brock et al., 2019, https://arxiv.org/abs/1809.11096), with the
    threshold 2·t. For t < 1 the draws of one seed move towards 0 together as t falls.
    """
    draws_tensor = in_tensorflow(seed)
    if truncation == 1:
        draw = tf.random.stateless_normal if draws_tensor else random.normal
        return draw(shape, seed, stddev=stddev)
    # By the inverse of the cumulative distribution: no draw is thrown away and drawn again.
    limit = 2.0 * truncation
    upper = statistics.NormalDist().cdf(limit)
    if draws_tensor:
        draws = tf.math.ndtri(tf.random.stateless_uniform(shape, seed, 1 - upper, upper))
        return stddev * tf.clip_by_value(draws, -limit, limit)
    quantiles = scipy.special.ndtri(random.uniform(shape, seed, 1 - upper, upper).astype(float))
    return stddev * np.clip(quantiles, -limit, limit).astype(np.float32)


def in_tensorflow(value: Any) -> bool:
    """Whether to compute with TensorFlow: Keras does so, or the value is a tensor of it."""
    if keras.backend.backend() == "tensorflow":
        return True
    return sys.modules.get("tensorflow") is not None and tf.is_tensor(value)


@dataclasses.dataclass(frozen=True)
class LatentDistribution:
    """The distribution of latents.

    Example:
      >>> from compare_gan.datasets.latents import LatentDistribution, normal
      >>> latents = LatentDistribution(normal, stddev=0.5)
      >>> tuple(latents.draw([2, 3], seed=[0, 1]).shape)
      (2, 3)
      >>> latents.describe()
      'normal(stddev=0.5)'

    Attributes:
      distribution_fn: Function that draws: `uniform`, `normal`, or one of your own (see above).
      minval: Lower bound, for a distribution that has bounds.
      maxval: Upper bound.
      stddev: Standard deviation, for a distribution that has one.

    Raises:
      UserError: A value is not allowed.
    """

    distribution_fn: Callable[..., Any] = uniform
    minval: float = -1.0
    maxval: float = 1.0
    stddev: float = 1.0
    scope: ClassVar[str] = "latents"

    def __post_init__(self) -> None:
        if not callable(self.distribution_fn):
            raise UserError(
                f"{self.scope}.distribution_fn must be a function such as @tf.random.normal, "
                f"received {self.distribution_fn!r}."
            )
        if not self.minval < self.maxval:
            raise UserError(
                f"{self.scope}.minval must be less than {self.scope}.maxval, received "
                f"{self.minval!r} and {self.maxval!r}."
            )
        check_range(f"{self.scope}.stddev", self.stddev)
        self._check_parameter("seed", "reproducible draws need")

    def draw(self, shape: Sequence[int], seed: Any, truncation: float = 1.0) -> Tensor:
        """Draws latents.

        Args:
          shape: Shape of the result; its last axis is the latent's dimension.
          seed: int [2], a tensor or sequence; equal seeds give equal latents.
          truncation: In (0, 1]; 1 leaves the distribution as it is, less narrows it (see `uniform`
            and `normal`): less variety, cleaner images.

        Returns:
          float32 of `shape`: a tensor of TensorFlow where it draws, otherwise an array.

        Raises:
          UserError: `truncation` is not in (0, 1], or the distribution cannot be truncated.
        """
        if not 0 < truncation <= 1:
            raise UserError(f"truncation must be above 0 and at most 1, received {truncation!r}.")
        if truncation != 1:
            self._check_parameter("truncation", f"sampling with truncation {truncation} needs")
        draws = call_with_requested(
            self.distribution_fn,
            shape=shape,
            seed=seed,
            truncation=truncation,
            **self._parameters(),
        )
        if in_tensorflow(draws):
            return tf.cast(draws, tf.float32)
        return np.asarray(draws, np.float32)

    def describe(self) -> str:
        """The distribution in words, for provenance: `uniform(minval=-1.0, maxval=1.0)`."""
        accepted = inspect.signature(self.distribution_fn).parameters
        shown = [f"{k}={value}" for k, value in self._parameters().items() if k in accepted]
        return f"{self._name()}({', '.join(shown)})"

    @property
    def is_normal(self) -> bool:
        """Whether latents are normal, so that their directions are uniform on the sphere."""
        return self.distribution_fn is normal

    def marginal(self, truncation: float = 1.0) -> Any:
        """The distribution of each coordinate; coordinates are independent.

        Args:
          truncation: As for `draw`.

        Returns:
          A frozen distribution of `scipy.stats`; None for a `distribution_fn` that is not one of
          this module's.
        """
        if self.distribution_fn is uniform:
            low, high = truncation * self.minval, truncation * self.maxval
            return scipy.stats.uniform(low, high - low)
        if self.distribution_fn is not normal:
            return None
        if truncation == 1:
            return scipy.stats.norm(0.0, self.stddev)
        return scipy.stats.truncnorm(-2.0 * truncation, 2.0 * truncation, scale=self.stddev)

    def limits(self, purpose: str, truncation: float = 1.0) -> tuple[float, float]:
        """The range of each coordinate, for a search or a walk through latents of known density.

        Args:
          purpose: What the density is needed for, as the subject of a message.
          truncation: As for `draw`.

        Returns:
          The lowest and the highest value, infinite for normal latents that are not truncated.

        Raises:
          UserError: The density is not known.
        """
        marginal = self.marginal(truncation)
        if marginal is None:
            raise UserError(
                f"{purpose} needs normal or uniform latents, whose density it knows; received "
                f"{self.describe()}."
            )
        low, high = marginal.support()
        return float(low), float(high)

    def _parameters(self) -> dict[str, float]:
        """The arguments that a `distribution_fn` may request."""
        return {"minval": self.minval, "maxval": self.maxval, "stddev": self.stddev}

    def _name(self) -> str:
        return getattr(self.distribution_fn, "__name__", str(self.distribution_fn))

    def _check_parameter(self, parameter: str, purpose: str) -> None:
        if parameter not in inspect.signature(self.distribution_fn).parameters:
            raise UserError(
                f"{self.scope}.distribution_fn = @{self._name()} has no parameter '{parameter}', "
                f"which {purpose}."
            )


UNIFORM = LatentDistribution()  # Between -1 and 1: the default.


@gin.configurable("z")
@dataclasses.dataclass(frozen=True)
class TrainingLatents(LatentDistribution):
    """The latents of training (gin scope `z`).

    Example:
      >>> from compare_gan.datasets import TrainingLatents
      >>> TrainingLatents().describe()
      'uniform(minval=-1.0, maxval=1.0)'
    """

    scope: ClassVar[str] = "z"


@gin.configurable("eval_z")
@dataclasses.dataclass(frozen=True)
class EvaluationLatents(LatentDistribution):
    """The latents of evaluation and pictures (gin scope `eval_z`).

    Example:
      >>> from compare_gan.datasets import EvaluationLatents
      >>> tuple(EvaluationLatents().draw([2, 128], seed=[0, 1]).shape)
      (2, 128)
    """

    scope: ClassVar[str] = "eval_z"
