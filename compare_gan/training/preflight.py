"""All checks of a training and its evaluation before they begin, the same for a dry run."""

from compare_gan import engine
from compare_gan.config import Mistakes
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir


def check_before_training(
    experiment: Experiment,
    run: RunDir | None,
    strategy: engine.Strategy,
    evaluated: bool,
    stages: engine.Stages | None = None,
) -> None:
    """Raises UserError for mistakes that would end a training, or the evaluation after it.

    The data set is opened. Mistakes that do not depend on each other are raised together.

    Args:
      experiment: The experiment to train.
      run: The directory of the run; None = none was named.
      strategy: The devices of the run.
      evaluated: Whether the training is followed by an evaluation.
      stages: Record of how long the checks take.

    Raises:
      UserError: The only mistake.
      MistakesError: All of several mistakes.
    """
    stages = stages or engine.Stages()
    label_dir = None if run is None else run.labels
    mistakes = Mistakes()
    with strategy.scope(), experiment.bindings.active():
        with stages.stage("checks", "Checking the config"), mistakes.noted():
            experiment.check(strategy.num_replicas_in_sync, label_dir)
        # Mistakes of the config alone are reported before any data are read.
        mistakes.raise_any()
        with stages.stage("data"), mistakes.noted():  # The experiment announces it.
            experiment.check_labels(label_dir)
        if evaluated:
            with stages.stage("extractor", "Loading the extractor"), mistakes.noted():
                experiment.check_evaluation()
            if run is not None:
                with mistakes.noted():
                    run.results().read()
    mistakes.raise_any()
