"""Named data sets, and the batches that training and evaluation take from them.

Names are imported when they are first used: what looks at images alone needs neither Keras nor
TensorFlow.
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
    from compare_gan.datasets.batches import (
        as_arrays,
        eval_batches,
        train_arrays,
        train_batches,
    )
    from compare_gan.datasets.catalog import define
    from compare_gan.datasets.codes import InfoCodes
    from compare_gan.datasets.data_options import DataOptions, DatasetOptions
    from compare_gan.datasets.dataset import Dataset
    from compare_gan.datasets.label_files import read_label_files, write_label_file
    from compare_gan.datasets.latents import (
        EvaluationLatents,
        LatentDistribution,
        TrainingLatents,
    )
    from compare_gan.datasets.opening import get_dataset, outline
    from compare_gan.datasets.relabelling import ReplaceLabelsOptions
    from compare_gan.datasets.sources import ArraySource

__all__ = [
    "ArraySource",
    "DataOptions",
    "Dataset",
    "DatasetOptions",
    "EvaluationLatents",
    "InfoCodes",
    "LatentDistribution",
    "ReplaceLabelsOptions",
    "TrainingLatents",
    "as_arrays",
    "define",
    "eval_batches",
    "get_dataset",
    "outline",
    "read_label_files",
    "train_arrays",
    "train_batches",
    "write_label_file",
]

_MODULES = {
    "batches": ("as_arrays", "eval_batches", "train_arrays", "train_batches"),
    "catalog": ("define",),
    "codes": ("InfoCodes",),
    "data_options": ("DataOptions", "DatasetOptions"),
    "dataset": ("Dataset",),
    "label_files": ("read_label_files", "write_label_file"),
    "latents": ("EvaluationLatents", "LatentDistribution", "TrainingLatents"),
    "opening": ("get_dataset", "outline"),
    "relabelling": ("ReplaceLabelsOptions",),
    "sources": ("ArraySource",),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
