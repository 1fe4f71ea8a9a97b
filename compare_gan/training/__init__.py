"""The runner: from a gin config to a trained model directory.

experiment.Experiment      a resolved config: options, data, evaluation
trainer.Trainer            trains an experiment in the directory of a run
run_dir.RunDir             the files of a run; loads the trained model
modes                      what `--schedule` chooses: train, train and evaluate, evaluate
run_options, optimization  the options of a run
state, step                the variables of a training; one generator step
recorder, summaries, pictures  the log of a run, its scalars and pictures
"""

from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir
from compare_gan.training.trainer import Trainer

__all__ = ["Experiment", "RunDir", "Trainer"]
