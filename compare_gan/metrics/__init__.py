"""Metrics: features -> statistics -> value.

Each metric exists as a function of NumPy arrays (`frechet_distance`) and as a class that the
evaluation runs and gin configures (`FrechetInceptionDistance`).

Example:
  >>> import numpy as np
  >>> from compare_gan import metrics
  >>> real_features, fake_features = np.eye(4), np.eye(4) + 1.0
  >>> round(metrics.frechet_distance(real_features, fake_features), 6)
  4.0
"""

from compare_gan.metrics.agreement import ClassAgreement, class_agreement
from compare_gan.metrics.base import ImageBatch, Metric, Statistics
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
    frechet_distance_from_statistics,
)
from compare_gan.metrics.gaussian import gaussian_statistics
from compare_gan.metrics.gilbo import Gilbo, gilbo
from compare_gan.metrics.intra import IntraFrechetInceptionDistance, intra_frechet_distance
from compare_gan.metrics.jacobian import (
    JacobianConditioning,
    conditioning,
    generator_jacobians,
    metric_tensors,
)
from compare_gan.metrics.kernels import PolynomialKernel, RbfKernel
from compare_gan.metrics.kid import (
    KernelInceptionDistance,
    kernel_distance,
    kernel_distance_of_blocks,
    kernel_distance_of_subsets,
)
from compare_gan.metrics.mode_coverage import ModeCoverage, mode_coverage
from compare_gan.metrics.ms_ssim import MultiscaleSsim, ms_ssim, ms_ssim_score
from compare_gan.metrics.nearest import (
    Memorization,
    PixelMemorization,
    memorization,
    nearest_neighbours,
    neighbour_picture,
)
from compare_gan.metrics.neighbours import (
    DensityAndCoverage,
    ImprovedPrecisionRecall,
    density_coverage,
    precision_recall,
)
from compare_gan.metrics.path_length import (
    PerceptualPathLength,
    lerp,
    path_distances,
    slerp,
    trimmed_mean,
)
from compare_gan.metrics.prd import (
    PrecisionRecallOfDistributions,
    draw_prd_curve,
    prd_curve,
    prd_from_distributions,
)
from compare_gan.metrics.sliced_wasserstein import (
    SlicedWasserstein,
    sliced_wasserstein_distance,
)
from compare_gan.metrics.vendi import Vendi, vendi_score, vendi_score_from_similarities

__all__ = [
    "ClassAgreement",
    "ClassificationAccuracyScore",
    "DensityAndCoverage",
    "FractalDimension",
    "FrechetInceptionDistance",
    "GanTest",
    "Gilbo",
    "ImageBatch",
    "ImprovedPrecisionRecall",
    "InceptionScore",
    "IntraFrechetInceptionDistance",
    "JacobianConditioning",
    "KernelInceptionDistance",
    "Memorization",
    "Metric",
    "ModeCoverage",
    "MultiscaleSsim",
    "PerceptualPathLength",
    "PixelMemorization",
    "PolynomialKernel",
    "PrecisionRecallOfDistributions",
    "RbfKernel",
    "SlicedWasserstein",
    "Statistics",
    "Vendi",
    "class_agreement",
    "classifier_accuracy",
    "conditioning",
    "density_coverage",
    "draw_prd_curve",
    "fractal_dimension",
    "frechet_distance",
    "frechet_distance_from_statistics",
    "gaussian_statistics",
    "generator_jacobians",
    "gilbo",
    "inception_score",
    "intra_frechet_distance",
    "kernel_distance",
    "kernel_distance_of_blocks",
    "kernel_distance_of_subsets",
    "lerp",
    "memorization",
    "metric_tensors",
    "mode_coverage",
    "ms_ssim",
    "ms_ssim_score",
    "nearest_neighbours",
    "neighbour_picture",
    "path_distances",
    "prd_curve",
    "prd_from_distributions",
    "precision_recall",
    "slerp",
    "sliced_wasserstein_distance",
    "train_classifier",
    "trimmed_mean",
    "vendi_score",
    "vendi_score_from_similarities",
]
