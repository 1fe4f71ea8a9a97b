"""A label for every training image from few given labels, or from none.

A network learns a representation of the images, a classifier or clusters on its features give the
hidden labels, and the result is written to files. `infer` does all of it.

Names are imported when they are first used: to read their files takes neither Keras nor TensorFlow.
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
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

_MODULES = {
    "backbone": ("BackboneOptions", "make_backbone"),
    "checks": ("check_batch_sizes", "check_given_labels"),
    "classifier": ("train_classifier",),
    "clustering": ("fit_clusters",),
    "features": ("BackboneFeatures",),
    "files": ("read_manifest",),
    "label_options": ("InferOptions", "LabelOptions"),
    "pipeline": ("infer", "with_pending_labels"),
    "pretext": ("PretextOptions",),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
