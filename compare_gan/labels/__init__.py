"""A label for every training image from few given labels, or from none.

A network learns a representation of the images, a classifier or clusters on its features give the
hidden labels, and the result is written to files. `infer` does all of it.
"""

from compare_gan.labels.backbone import BackboneOptions, make_backbone
from compare_gan.labels.checks import check_batch_sizes, check_given_labels
from compare_gan.labels.classifier import train_classifier
from compare_gan.labels.clustering import fit_clusters
from compare_gan.labels.features import BackboneFeatures
from compare_gan.labels.files import read_manifest
from compare_gan.labels.label_options import InferOptions, LabelOptions
from compare_gan.labels.pipeline import infer, with_pending_labels
from compare_gan.labels.pretext import PretextOptions

__all__ = [
    "BackboneFeatures",
    "BackboneOptions",
    "InferOptions",
    "LabelOptions",
    "PretextOptions",
    "check_batch_sizes",
    "check_given_labels",
    "fit_clusters",
    "infer",
    "make_backbone",
    "read_manifest",
    "train_classifier",
    "with_pending_labels",
]
