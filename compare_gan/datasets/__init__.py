"""Named data sets, and the batches that training and evaluation take from them.

Names are imported when they are first used: what looks at images alone needs neither Keras nor
TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compare_gan.datasets.batches import (
        as_arrays,
        eval_batches,
        train_arrays,
        train_batches,
    )
    from compare_gan.datasets.catalog import define
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
    "data_options": ("DataOptions", "DatasetOptions"),
    "dataset": ("Dataset",),
    "label_files": ("read_label_files", "write_label_file"),
    "latents": ("EvaluationLatents", "LatentDistribution", "TrainingLatents"),
    "opening": ("get_dataset", "outline"),
    "relabelling": ("ReplaceLabelsOptions",),
    "sources": ("ArraySource",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
