"""Jacobian conditioning: how evenly a generator's images change with its latent."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from keras import ops

from compare_gan import backend, registry
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.metrics.base import GeneratorSampler, Metric
from compare_gan.types import Tensor


def generator_jacobians(
    sampler: GeneratorSampler, z: npt.ArrayLike, y: np.ndarray | None = None, batch_size: int = 64
) -> Iterator[np.ndarray]:
    """Derivatives of images with respect to latents, one latent after another.

    In forward mode: a batch holds copies of one latent, each with the tangent of another direction.
    Thus at most `batch_size` images are differentiated at a time, and one Jacobian is in memory.

    Args:
      sampler: Generator whose images do not depend on the other images of their batch.
      z: Latents, float [n, z_dim].
      y: One-hot labels, float [n, num_classes]; None for an unconditional generator.
      batch_size: Images in one forward pass.

    Yields:
      The Jacobian of each latent, float32 [H · W · C, z_dim].

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import generator_jacobians
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):  # Images of one row with two pixels.
      ...     z, _ = inputs
      ...     return (z * np.float32([1.0, 2.0]))[:, None, :, None]
      >>> sampler = Sampler(network, z_dim=2, image_shape=(1, 2, 1))
      >>> [jacobian] = generator_jacobians(sampler, np.zeros([1, 2]))
      >>> jacobian.tolist()
      [[1.0, 0.0], [0.0, 2.0]]
    """
    size = min(batch_size, sampler.z_dim)

    def pushed_forward(z: Tensor, y: Tensor | None, tangents: Tensor) -> Tensor:
        copies = ops.repeat(z[None], size, axis=0)
        labels = None if y is None else ops.repeat(y[None], size, axis=0)
        pushed = backend.directional_derivative(lambda z: sampler(z, labels), copies, tangents)
        return ops.reshape(pushed, [size, -1])

    compiled = backend.compiled(pushed_forward, sampler.variables)
    count = -(-sampler.z_dim // size) * size  # Directions beyond the last are zeros.
    directions = np.eye(count, sampler.z_dim, dtype=np.float32)
    for i, latent in enumerate(np.asarray(z, np.float32)):
        label = None if y is None else np.asarray(y[i], np.float32)
        parts = [
            ops.convert_to_numpy(compiled(latent, label, part))
            for part in np.split(directions, count // size)
        ]
        yield np.concatenate(parts)[: sampler.z_dim].T


def metric_tensors(jacobians: npt.ArrayLike) -> np.ndarray:
    """Metric tensors JᵀJ, which measure how far images move for a step of the latent.

    Args:
      jacobians: Jacobians [n, p, d].

    Returns:
      The tensors, float64 [n, d, d].

    Example:
      >>> from compare_gan.metrics import metric_tensors
      >>> metric_tensors([[[1.0, 0.0], [0.0, 2.0]]]).tolist()
      [[[1.0, 0.0], [0.0, 4.0]]]
    """
    jacobians = np.asarray(jacobians, np.float64)
    return jacobians.swapaxes(-1, -2) @ jacobians


def conditioning(tensors: npt.ArrayLike, rounding: float = 0.0) -> dict[str, np.ndarray]:
    """Spectra of metric tensors.

    Paper: https://arxiv.org/abs/1802.08768.

    Args:
      tensors: Metric tensors [n, d, d], symmetric, positive semi-definite.
      rounding: Lower limit of the eigenvalues as a share of the largest; smaller ones, which
        rounded Jacobians do not determine, are raised to it. With 0, a singular tensor has an
        infinite condition number.

    Returns:
      `eigenvalues` float64 [n, d], ascending; `logdet` [n], the logarithm of their product;
      `log_condition_number` [n], the logarithm of the ratio of the largest to the smallest.

    Raises:
      UserError: A value is not finite, or a tensor is all zeros.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import conditioning
      >>> spectra = conditioning(np.diag([1.0, 4.0])[None])
      >>> spectra["eigenvalues"].tolist(), np.exp(spectra["log_condition_number"]).round(6).tolist()
      ([[1.0, 4.0]], [4.0])
    """
    tensors = np.asarray(tensors, np.float64)
    if not np.isfinite(tensors).all():
        raise UserError("The Jacobians of the generator must be finite, received NaN or inf.")
    eigenvalues = np.linalg.eigvalsh(tensors)
    largest = eigenvalues[:, -1:]
    if (largest <= 0).any():
        raise UserError(
            "The images of the generator must depend on its latent, received a Jacobian of zeros."
        )
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

    The score is 0 if all directions of the latent change the image equally. Further values are
    `logdet`, the mean log determinant, and `of_mean` and `logdet_of_mean`, the same two values for
    the mean of the tensors. Singular values of J below the float32 rounding of the largest are
    raised to it, so log condition numbers are at most 31.9.

    Args:
      num_samples: Number of latents; classes take turns.
      batch_size: Images in one forward pass.

    Example:
      >>> import numpy as np
      >>> from compare_gan.metrics import JacobianConditioning
      >>> from compare_gan.sampling import Sampler
      >>> def network(inputs, training):  # The second coordinate moves the image twice as far.
      ...     z, _ = inputs
      ...     return (z * np.float32([1.0, 2.0]))[:, None, :, None]
      >>> sampler = Sampler(network, z_dim=2, image_shape=(1, 2, 1))
      >>> values = JacobianConditioning(num_samples=3).value(generator=sampler)
      >>> round(values[""], 4)  # log(2²)
      1.3863
    """

    name = "jacobian_conditioning"
    needs = frozenset({"generator"})

    def __init__(self, num_samples: int = 64, batch_size: int = 64):
        check_positive_integer("jacobian_conditioning.num_samples", num_samples)
        check_positive_integer("jacobian_conditioning.batch_size", batch_size)
        self.num_samples, self.batch_size = num_samples, batch_size

    def statistics(self, num_images: int) -> None:
        return None

    def value(self, generator: GeneratorSampler) -> dict[str, float]:
        z, y = generator.latents(self.num_samples), generator.labels(self.num_samples)
        jacobians = generator_jacobians(generator, z, y, self.batch_size)
        tensors = np.concatenate([metric_tensors(jacobian[None]) for jacobian in jacobians])
        rounding = float(np.finfo(np.float32).eps) ** 2
        each = conditioning(tensors, rounding)
        mean = conditioning(tensors.mean(axis=0, keepdims=True), rounding)
        return {
            "": float(each["log_condition_number"].mean()),
            "logdet": float(each["logdet"].mean()),
            "of_mean": float(mean["log_condition_number"][0]),
            "logdet_of_mean": float(mean["logdet"][0]),
        }

    def options(self) -> dict[str, object]:
        return {"num_samples": self.num_samples}
