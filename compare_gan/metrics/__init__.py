"""Metrics: features -> statistics -> value. Functions of arrays, and what evaluation runs.

mean, covariance = gaussian_statistics(features)
frechet_distance(mean, covariance, other_mean, other_covariance)
"""

from compare_gan.metrics.agreement import ClassAgreement, class_agreement
from compare_gan.metrics.base import Batch, Metric, Statistics
from compare_gan.metrics.classifier_accuracy import (
    ClassificationAccuracyScore,
    GanTest,
    classifier_accuracy,
    train_classifier,
)
from compare_gan.metrics.classifier_score import InceptionScore, inception_score
from compare_gan.metrics.fractal_dimension import FractalDimension, fractal_dimension
from compare_gan.metrics.frechet import (
    FrechetInceptionDistance,
    frechet_distance,
    gaussian_statistics,
)
from compare_gan.metrics.gilbo import Gilbo, gilbo
from compare_gan.metrics.jacobian import (
    JacobianConditioning,
    conditioning,
    generator_jacobians,
    metric_tensors,
)
from compare_gan.metrics.ms_ssim import MultiscaleSsim, ms_ssim, ms_ssim_score
from compare_gan.metrics.nearest import (
    Memorization,
    PixelMemorization,
    memorization,
    nearest_neighbours,
    neighbour_picture,
)
from compare_gan.metrics.path_length import (
    PerceptualPathLength,
    lerp,
    path_distances,
    slerp,
    trimmed_mean,
)
from compare_gan.metrics.sampler import Sampler
from compare_gan.metrics.sliced_wasserstein import (
    SlicedWasserstein,
    sliced_wasserstein_distance,
)

__all__ = [
    "Batch",
    "ClassAgreement",
    "ClassificationAccuracyScore",
    "FractalDimension",
    "FrechetInceptionDistance",
    "GanTest",
    "Gilbo",
    "InceptionScore",
    "JacobianConditioning",
    "Memorization",
    "Metric",
    "MultiscaleSsim",
    "PerceptualPathLength",
    "PixelMemorization",
    "Sampler",
    "SlicedWasserstein",
    "Statistics",
    "class_agreement",
    "classifier_accuracy",
    "conditioning",
    "fractal_dimension",
    "frechet_distance",
    "gaussian_statistics",
    "generator_jacobians",
    "gilbo",
    "inception_score",
    "lerp",
    "memorization",
    "metric_tensors",
    "ms_ssim",
    "ms_ssim_score",
    "nearest_neighbours",
    "neighbour_picture",
    "path_distances",
    "slerp",
    "sliced_wasserstein_distance",
    "train_classifier",
    "trimmed_mean",
]
