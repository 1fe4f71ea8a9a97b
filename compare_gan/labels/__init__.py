"""Labels from few, or none: a representation, a classifier or clusters on it, label files."""

from compare_gan.labels.checks import check_given, check_shares
from compare_gan.labels.options import InferOptions
from compare_gan.labels.pipeline import announced, infer

__all__ = ["InferOptions", "announced", "check_given", "check_shares", "infer"]
