"""The pictures of a run: the same latents at every step, so that the evolution can be watched."""

import logging
import os

import numpy as np

from compare_gan.plots import curves, grids
from compare_gan.sampling import Sampler, sample_grid
from compare_gan.sampling.classes import row_names
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir
from compare_gan.training.state import TrainState
from compare_gan.training.summaries import Summaries

_log = logging.getLogger(__name__)

_ROWS, _COLUMNS = 10, 10
_SEED = 2019  # Of the fixed latents.


class PictureTaker:
    """Writes sample grids and curves of one run to `samples/` and TensorBoard.

    A conditional model gets one class a row (the first ten classes), an unconditional one 10 x 10
    samples. Samples come from the averaged weights where the model has them.
    """

    def __init__(
        self, experiment: Experiment, state: TrainState, run: RunDir, summaries: Summaries
    ):
        self._dataset = dataset = experiment.dataset
        self._state = state
        self._run = run
        self._summaries = summaries
        height, width, channels = dataset.image_shape
        self._sampler = Sampler(
            state.make_sampling_generator(),
            experiment.options.z_dim,
            (height, width, channels),
            num_classes=state.gan.num_classes if state.gan.conditional else None,
            class_names=dataset.class_names,
            distribution=experiment.eval_latents,
            standing_statistics=experiment.standing_statistics,
        )

    def fakes(self, step: int) -> None:
        """The grid of samples at this step, also as `samples.png` of the model directory."""
        self._state.update_sampling_generator(self._sampler.network)
        picture = sample_grid(self._sampler, columns=_COLUMNS, seed=_SEED)
        grids.save_png(picture, os.path.join(self._run.samples, f"step_{step:07}.png"))
        grids.save_png(picture, self._run.file("samples.png"))
        self._summaries.grid(step, "samples", picture)

    def real(self) -> None:
        """A grid of real images, one class a row: those whose labels training sees.

        Without a picture where there is no such image of the first classes among the first 2,000.
        """
        from compare_gan.datasets import eval_batches

        classes = range(min(_ROWS, self._sampler.num_classes or 0))
        found: list[list[np.ndarray]] = [[] for _ in classes] or [[]]
        wanted = _COLUMNS if classes else _ROWS * _COLUMNS
        batches = eval_batches(
            self._dataset, "train", batch_size=100, num_examples=2000, shown_only=True
        )
        for images, labels in batches.as_numpy_iterator():
            rows = [images[labels == label] for label in classes] or [images]
            for row, new in zip(found, rows, strict=True):
                row.extend(new[: wanted - len(row)])
            if all(len(row) == wanted for row in found):
                break
        if not any(found):
            _log.info("No labelled image of the first classes is at hand: no real.png.")
            return
        if classes:
            shape = self._dataset.image_shape
            rows = [np.reshape(row, (-1, *shape)).astype(np.uint8) for row in found]
            picture = grids.class_grid(rows, row_names(self._dataset.class_names, classes))
        else:
            picture = grids.image_grid(np.stack(found[0]), _COLUMNS)
        grids.save_png(picture, os.path.join(self._run.samples, "real.png"))
        self._summaries.grid(0, "real", picture)

    def curves(self) -> None:
        """`losses.png`: every loss over the steps."""
        rows = self._summaries.read()
        if not rows:
            return
        steps = [row["step"] for row in rows]
        series = {
            name.removeprefix("loss/"): (steps, [row.get(name) for row in rows])
            for name in rows[-1]
            if name.startswith("loss/")
        }
        curves.plot_curves(series, self._run.file("losses.png"), ylabel="loss")
