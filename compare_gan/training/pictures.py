"""The pictures of a run, from the same latents at every step."""

import functools
import logging
import os

import numpy as np

from compare_gan.datasets import eval_batches
from compare_gan.plots import curves, grids
from compare_gan.sampling import Sampler
from compare_gan.sampling.classes import row_names
from compare_gan.sampling.drawing import sample_grid_and_images
from compare_gan.training.experiment import Experiment
from compare_gan.training.run_dir import RunDir
from compare_gan.training.state import TrainState
from compare_gan.training.summaries import Summaries

_log = logging.getLogger(__name__)

_ROWS, _COLUMNS = 10, 10
_SEED = 2019  # Seed of the fixed latents.


class PictureTaker:
    """Writes sample grids and curves of one run to `samples/` and TensorBoard.

    For a conditional model a grid has one class per row (the first ten classes), otherwise 10 x 10
    samples. Samples use the averaged weights if the model has them.

    Args:
      experiment: The experiment that is trained.
      state: The state that training steps change.
      run: The directory of the run.
      summaries: The scalars and pictures of the run.
    """

    def __init__(
        self, experiment: Experiment, state: TrainState, run: RunDir, summaries: Summaries
    ):
        self._experiment = experiment
        self._dataset = experiment.dataset
        self._state = state
        self._run = run
        self._summaries = summaries
        self._num_classes = state.gan.num_classes if state.gan.conditional else None

    # Built for the first samples: no training step waits for it.
    @functools.cached_property
    def _sampler(self) -> Sampler:
        height, width, channels = self._dataset.image_shape
        return Sampler(
            self._state.make_sampling_generator(),
            self._experiment.options.z_dim,
            (height, width, channels),
            num_classes=self._num_classes,
            class_names=self._dataset.class_names,
            distribution=self._experiment.eval_latents,
            standing_statistics=self._experiment.standing_statistics,
        )

    def fakes(self, step: int) -> np.ndarray:
        """Writes the grid of samples at this step, also as `samples.png` of the run.

        Returns:
          The samples, uint8 [n, H, W, C].
        """
        self._state.update_sampling_generator(self._sampler.network)
        picture, images = sample_grid_and_images(self._sampler, columns=_COLUMNS, seed=_SEED)
        of_step = os.path.join(self._run.samples, f"step_{step:07}.png")
        self._write(step, "samples", picture, of_step, self._run.file("samples.png"))
        return images

    def real(self) -> None:
        """Writes a grid of real images, one class per row, of images with a label in training.

        Writes none if the first 2,000 such images have none of the first ten classes.
        """
        classes = range(min(_ROWS, self._num_classes or 0))
        found: list[list[np.ndarray]] = [[] for _ in classes] or [[]]
        wanted = _COLUMNS if classes else _ROWS * _COLUMNS
        batches = eval_batches(
            self._dataset, "train", batch_size=100, num_examples=2000, shown_only=True
        )
        for images, labels in batches:
            rows = [images[labels == label] for label in classes] or [images]
            for row, new in zip(found, rows, strict=True):
                row.extend(new[: wanted - len(row)])
            if all(len(row) == wanted for row in found):
                break
        if not any(found):
            _log.info("real.png is not written: no labelled image of the first classes was found.")
            return
        if classes:
            shape = self._dataset.image_shape
            rows = [np.reshape(row, (-1, *shape)).astype(np.uint8) for row in found]
            picture = grids.class_grid(rows, row_names(self._dataset.class_names, classes))
        else:
            picture = grids.image_grid(np.stack(found[0]), _COLUMNS)
        self._write(0, "real", picture, os.path.join(self._run.samples, "real.png"))

    def curves(self) -> None:
        """Writes `losses.png`: every loss over the steps, except those that are always zero."""
        rows = self._summaries.read()
        if not rows:
            return
        steps = [row["step"] for row in rows]
        series = {
            name.removeprefix("loss/"): (steps, [row.get(name) for row in rows])
            for name in rows[-1]
            if name.startswith("loss/") and any(row.get(name) != 0 for row in rows)
        }
        curves.plot_curves(series, self._run.file("losses.png"), ylabel="loss")

    def _write(self, step: int, name: str, picture: np.ndarray, *paths: str) -> None:
        """Writes a picture to files and TensorBoard; encodes it once, which takes longest."""
        png = grids.encode_png(picture)
        for path in paths:
            grids.write_png(png, path)
        self._summaries.picture(step, name, png)
