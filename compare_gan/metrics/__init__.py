"""Metrics: features -> statistics -> value. Functions of arrays, and what evaluation runs.

mean, covariance = gaussian_statistics(features)
frechet_distance(mean, covariance, other_mean, other_covariance)
"""

from compare_gan.metrics.agreement import ClassAgreement, class_agreement
from compare_gan.metrics.base import Batch, Metric, Statistics
from compare_gan.metrics.classifier_score import InceptionScore, inception_score
from compare_gan.metrics.frechet import (
    FrechetInceptionDistance,
    frechet_distance,
    gaussian_statistics,
)

__all__ = [
    "Batch",
    "ClassAgreement",
    "FrechetInceptionDistance",
    "InceptionScore",
    "Metric",
    "Statistics",
    "class_agreement",
    "frechet_distance",
    "gaussian_statistics",
    "inception_score",
]
