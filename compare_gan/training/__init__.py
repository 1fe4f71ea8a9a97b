"""The runner: from a gin config to a trained model in the directory of a run.

experiment.Experiment          a resolved config: options, data, evaluation
trainer.Trainer                trains an experiment in the directory of a run
run_dir.RunDir                 the files of a run; loads the trained model
modes                          the modes of `--schedule`: train, train and evaluate, evaluate
run_options, optimization      the options of a run
objective                      losses, penalties, augmentations and tasks from gin
checks, dry_run                what is checked and printed before a run starts
averages, post_hoc             averages of the generator's weights, in training and after it
average_scan                   scores of several averages
state, step                    the variables of a training; one generator step
recorder, summaries, pictures  the log of a run, its scalars and pictures
progress                       the line of progress
monitors                       early warnings
trackers                       Weights & Biases, MLflow, Aim: programs that collect runs
rollbacks                      divergences after which a run went on from its last checkpoint

Names are imported when they are first used: to read a log takes neither Keras nor TensorFlow.
"""

from typing import TYPE_CHECKING

from compare_gan.lazy_names import importer

if TYPE_CHECKING:
    from compare_gan.training.experiment import Experiment
    from compare_gan.training.run_dir import RunDir
    from compare_gan.training.trainer import Trainer

__all__ = ["Experiment", "RunDir", "Trainer"]

_MODULES = {
    "experiment": ("Experiment",),
    "run_dir": ("RunDir",),
    "trainer": ("Trainer",),
}
__getattr__ = importer(__name__, _MODULES)


def __dir__() -> list[str]:
    return sorted(__all__)
