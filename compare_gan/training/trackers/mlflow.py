"""MLflow."""

import io
import time
from collections.abc import Mapping

from PIL import Image

from compare_gan import registry
from compare_gan.training.trackers.base import DIVERGED, FINISHED, INTERRUPTED, TrackedRun, Tracker

_STATUSES = {FINISHED: "FINISHED", INTERRUPTED: "KILLED"}
_PER_BATCH = 100  # Parameters, the limit of MLflow's API.
_LONGEST = 500  # Characters of a parameter, the limit of older servers.


@registry.register("tracker", "mlflow")
class MLflowTracker(Tracker):
    """MLflow: a server, a database or a folder of runs.

    Args:
      uri: The server, database or folder, such as `sqlite:///mlflow.db`; None = that of MLflow's
        own settings (`MLFLOW_TRACKING_URI`).
      experiment: Name of the experiment, which is made if there is none.

    Example:
      >>> from compare_gan.training.trackers import MLflowTracker
      >>> MLflowTracker(uri="sqlite:///runs/mlflow.db").package
      'mlflow'
    """

    package = "mlflow"
    requirement = "compare_gan[mlflow]"

    def __init__(self, uri: str | None = None, experiment: str = "compare_gan"):
        self._uri = uri
        self._experiment = experiment

    def start(self, run: TrackedRun) -> str:
        """Begins a run in the experiment, or goes on with the one that has its id."""
        import mlflow
        from mlflow.entities import Param

        self._client = client = mlflow.MlflowClient(self._uri)
        self._id = self._resumed(run.id) or self._new(run)
        known = client.get_run(self._id).data.params  # MLflow refuses other values of these.
        params = [
            Param(name, str(value)[:_LONGEST])
            for name, value in run.config.items()
            if name not in known
        ]
        for start in range(0, len(params), _PER_BATCH):
            client.log_batch(self._id, params=params[start : start + _PER_BATCH])
        return self._id

    def _resumed(self, run_id: str | None) -> str | None:
        """The id of a run that can go on; None if it has been deleted."""
        from mlflow.exceptions import MlflowException

        if run_id is None:
            return None
        try:
            if self._client.get_run(run_id).info.lifecycle_stage != "active":
                return None
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None
        self._client.update_run(run_id, "RUNNING")
        return run_id

    def _new(self, run: TrackedRun) -> str:
        from mlflow.exceptions import MlflowException

        experiment = self._client.get_experiment_by_name(self._experiment)
        if experiment is None:
            try:
                experiment_id = self._client.create_experiment(self._experiment)
            except MlflowException:  # Another run has just made it.
                experiment = self._client.get_experiment_by_name(self._experiment)
                if experiment is None:
                    raise
        if experiment is not None:
            experiment_id = experiment.experiment_id
        tags = {"model_dir": run.folder}
        return self._client.create_run(experiment_id, tags=tags, run_name=run.name).info.run_id

    def values(self, step: int, values: Mapping[str, float]) -> None:
        """Adds a point to the metric of each name."""
        from mlflow.entities import Metric

        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def picture(self, step: int, name: str, png: bytes) -> None:
        """Adds an image to those of this name."""
        with Image.open(io.BytesIO(png)) as image:
            self._client.log_image(self._id, image, key=name, step=step, synchronous=True)

    def text(self, name: str, content: str) -> None:
        """Writes an artifact."""
        self._client.log_text(self._id, content, name)

    def close(self, status: str) -> None:
        """Sets the status; a tag says whether the run has diverged."""
        self._client.set_tag(self._id, DIVERGED, str(status == DIVERGED))
        self._client.set_terminated(self._id, _STATUSES.get(status, "FAILED"))
