"""`compare_gan label`: inferred labels of the data set of a config, without a run."""

from typing import Any

from compare_gan import labels
from compare_gan.config import config_text, located
from compare_gan.config.checks import check_bindings
from compare_gan.datasets import DataOptions, get_dataset, outline
from compare_gan.errors import UserError
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.run_options import RunConfig
from compare_gan.training.trainer import make_strategy


def infer_labels(label_dir: str | None, **dataset_overrides: Any) -> str:
    """Infers labels with gin's bindings; returns the folder of the labels.

    Args:
      label_dir: Directory of the labels; None = `infer_labels.label_dir`.
      **dataset_overrides: Values of the scope `dataset` that win over gin's.

    Raises:
      UserError: No directory is given, a value is not allowed, or see `labels.infer`.
      DivergenceError: See `labels.infer`.
    """
    check_bindings(OptimizationOptions)
    with located():
        options, run_config = labels.LabelOptions.from_gin(), RunConfig()
        data = DataOptions.from_gin(**dataset_overrides)
        folder = label_dir or options.label_folder(None)
        if not folder:
            raise UserError("--label_dir is needed: the directory that the labels are written to.")
        # The environment may name a cluster: its other processes do not take part.
        strategy = make_strategy(run_config, alone=True)
        shape = outline(data)
        if shape is not None:
            options.check(shape)
        labels.infer(
            get_dataset(data),
            folder,
            options,
            config_text=config_text(),
            strategy=strategy,
        )
    return folder
