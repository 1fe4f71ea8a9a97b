"""Metrics: features -> statistics -> value. Functions of arrays, and what evaluation runs.

frechet_distance(real_features, fake_features)
"""

from compare_gan.metrics.agreement import ClassAgreement, class_agreement
from compare_gan.metrics.base import Batch, Metric, Statistics
from compare_gan.metrics.classifier_score import InceptionScore, inception_score
from compare_gan.metrics.frechet import (
    FrechetInceptionDistance,
    frechet_distance,
    frechet_distance_from_statistics,
    gaussian_statistics,
)
from compare_gan.metrics.intra import IntraFrechetInceptionDistance, intra_frechet_distance
from compare_gan.metrics.kid import (
    KernelInceptionDistance,
    PolynomialKernel,
    RbfKernel,
    kernel_distance,
    kernel_distance_of_blocks,
    kernel_distance_of_subsets,
)
from compare_gan.metrics.neighbours import (
    DensityAndCoverage,
    ImprovedPrecisionRecall,
    density_coverage,
    precision_recall,
)
from compare_gan.metrics.prd import (
    PrecisionRecallOfDistributions,
    draw_prd_curve,
    prd_curve,
    prd_from_distributions,
)
from compare_gan.metrics.vendi import Vendi, vendi_score, vendi_score_from_similarities

__all__ = [
    "Batch",
    "ClassAgreement",
    "DensityAndCoverage",
    "FrechetInceptionDistance",
    "ImprovedPrecisionRecall",
    "InceptionScore",
    "IntraFrechetInceptionDistance",
    "KernelInceptionDistance",
    "Metric",
    "PolynomialKernel",
    "PrecisionRecallOfDistributions",
    "RbfKernel",
    "Statistics",
    "Vendi",
    "class_agreement",
    "density_coverage",
    "draw_prd_curve",
    "frechet_distance",
    "frechet_distance_from_statistics",
    "gaussian_statistics",
    "inception_score",
    "intra_frechet_distance",
    "kernel_distance",
    "kernel_distance_of_blocks",
    "kernel_distance_of_subsets",
    "prd_curve",
    "prd_from_distributions",
    "precision_recall",
    "vendi_score",
    "vendi_score_from_similarities",
]
