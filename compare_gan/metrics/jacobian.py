"""Jacobian conditioning: how evenly a generator's images move with its latent."""

import numpy as np

from compare_gan import registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import GeneratorSampler, Metric


def generator_jacobians(sampler: GeneratorSampler, z, y=None, batch_size: int = 64):
    """The derivatives of images by latents, one latent after the other.

    In forward mode: a batch holds copies of one latent, each with the tangent of a direction of its
    own. So at most `batch_size` images are differentiated at a time, and one Jacobian is held.

    Args:
      sampler: The generator; its images must not depend on the others of their batch.
      z: float [n, z_dim].
      y: float [n, num_classes]; None for an unconditional generator.
      batch_size: Images in one forward.

    Yields:
      float32 [H · W · C, z_dim], n times.
    """
    import tensorflow as tf

    size = min(batch_size, sampler.z_dim)

    @tf.function(autograph=False)
    def pushed_forward(z, y, tangents):
        copies = tf.repeat(z[None], size, axis=0)
        with tf.autodiff.ForwardAccumulator(copies, tangents) as accumulator:
            images = sampler(copies, None if y is None else tf.repeat(y[None], size, axis=0))
        zeros = tf.UnconnectedGradients.ZERO
        return tf.reshape(accumulator.jvp(images, unconnected_gradients=zeros), [size, -1])

    count = -(-sampler.z_dim // size) * size  # Directions beyond the last are zeros.
    directions = np.eye(count, sampler.z_dim, dtype=np.float32)
    for i, latent in enumerate(np.asarray(z, np.float32)):
        label = None if y is None else tf.constant(y[i], tf.float32)
        parts = [
            pushed_forward(tf.constant(latent), label, tf.constant(part)).numpy()
            for part in np.split(directions, count // size)
        ]
        yield np.concatenate(parts)[: sampler.z_dim].T


def metric_tensors(jacobians) -> np.ndarray:
    """JᵀJ in float64, [n, d, d], of Jacobians [n, p, d]: lengths of images' steps by latents'."""
    jacobians = np.asarray(jacobians, np.float64)
    return jacobians.swapaxes(-1, -2) @ jacobians


def conditioning(tensors, rounding: float = 0.0) -> dict[str, np.ndarray]:
    """Spectra of metric tensors.

    Paper: https://arxiv.org/abs/1802.08768.

    Args:
      tensors: [n, d, d], symmetric, positive semi-definite.
      rounding: Eigenvalues below this share of the largest are taken to be that: what is less is
        not known of tensors that come from rounded Jacobians. With 0 a singular tensor has an
        infinite condition number.

    Returns:
      `eigenvalues` float64 [n, d], ascending; `logdet` [n], the logarithm of their product;
      `log_condition_number` [n], that of the ratio of the largest to the smallest.

    Raises:
      UserError: A value is not finite, or a tensor is all zeros.
    """
    tensors = np.asarray(tensors, np.float64)
    if not np.isfinite(tensors).all():
        raise UserError("The Jacobians of the generator are not all finite.")
    eigenvalues = np.linalg.eigvalsh(tensors)
    largest = eigenvalues[:, -1:]
    if (largest <= 0).any():
        raise UserError("The generator's images do not depend on its latent: a Jacobian is zero.")
    eigenvalues = np.maximum(eigenvalues, rounding * largest)
    with np.errstate(divide="ignore"):
        logs = np.log(eigenvalues)
    return {
        "eigenvalues": eigenvalues,
        "logdet": logs.sum(axis=1),
        "log_condition_number": logs[:, -1] - logs[:, 0],
    }


@registry.register("metric", "jacobian_conditioning", paper="https://arxiv.org/abs/1802.08768")
class JacobianConditioning(Metric):
    """Log condition number of the metric tensor JᵀJ of the generator, averaged over latents.

    The score is 0 where all directions of the latent change the image alike. Beside it: `logdet`,
    the mean log determinant, and the same two of the tensors' mean, `of_mean` and `logdet_of_mean`.
    A singular value of J below float32's rounding of the largest counts as that, so that log
    condition numbers end at 31.9.

    Args:
      num_samples: Latents that are looked at, classes in turn.
      batch_size: Images in one forward.
    """

    name = "jacobian_conditioning"
    needs = frozenset({"generator"})

    def __init__(self, num_samples: int = 64, batch_size: int = 64):
        check_positive_integer("jacobian_conditioning.num_samples", num_samples)
        check_positive_integer("jacobian_conditioning.batch_size", batch_size)
        self.num_samples, self.batch_size = num_samples, batch_size

    def statistics(self, num_images):
        return None

    def value(self, generator):
        z, y = generator.latents(self.num_samples), generator.labels(self.num_samples)
        jacobians = generator_jacobians(generator, z, y, self.batch_size)
        tensors = np.concatenate([metric_tensors(jacobian[None]) for jacobian in jacobians])
        rounding = float(np.finfo(np.float32).eps) ** 2
        each = conditioning(tensors, rounding)
        mean = conditioning(tensors.mean(axis=0, keepdims=True), rounding)
        return {
            "": each["log_condition_number"].mean(),
            "logdet": each["logdet"].mean(),
            "of_mean": mean["log_condition_number"][0],
            "logdet_of_mean": mean["logdet"][0],
        }

    def options(self):
        return {"num_samples": self.num_samples}
