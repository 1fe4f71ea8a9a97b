"""Post-hoc averages: averages of any length, made after the training from those that it stored.

A run with `ema_lengths` has power-function averages in each of its checkpoints. A sum of these
snapshots is an average of another length if its profile, the weight that it gives to the weights of
each moment, is that length's power function. The factors of the snapshots follow by least squares.

Paper: Karras et al., 2024, https://arxiv.org/abs/2312.02696.
"""

import dataclasses
import logging
import os
import re
import shutil
from collections.abc import Sequence

import numpy as np

from compare_gan import engine, files, paths
from compare_gan.engine.checkpoint_files import CheckpointReader
from compare_gan.engine.checkpoint_folder import damage_of, is_complete
from compare_gan.errors import UserError
from compare_gan.training.averages import Power, check_length, name_of_half_life, name_of_length
from compare_gan.training.restored import RestoredModel
from compare_gan.training.run_dir import RunDir

_log = logging.getLogger(__name__)

_NAME = re.compile(rf"{re.escape(name_of_length(0))[:-1]}([^/]+)/(.+)")
_MISFIT = 0.1  # Paper: "near-exact" profiles have far less, from a few dozen snapshots.
# What a run needs to be sampled, scored and exported.
_COPIED = (
    "config.gin", "operative_config.gin", "model.json", "training_labels.json",
    "training_images.json",
)  # fmt: skip
_COPIED_FOLDERS = ("configs", "modules")


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A power-function average in a checkpoint.

    Attributes:
      path: Path of the checkpoint.
      step: Its step, above 0.
      length: Length of the average.
    """

    path: str
    step: int
    length: float


def coefficients(
    steps: Sequence[int], lengths: Sequence[float], step: int, length: float
) -> tuple[np.ndarray, float]:
    """The factors by which snapshots are summed to an average of another length.

    Args:
      steps: Steps of the snapshots, [n].
      lengths: Lengths of their averages, [n].
      step: Step of the wanted average.
      length: Its length.

    Returns:
      float64 [n], which sum to 1, and how far the profile of the sum is from the wanted one, as a
      fraction of its norm.

    Example:
      >>> from compare_gan.training.post_hoc import coefficients
      >>> factors, misfit = coefficients([50, 100], [0.1, 0.1], step=100, length=0.1)
      >>> abs(factors).round(6).tolist(), round(misfit, 6)
      ([0.0, 1.0], 0.0)
    """
    times, exponents = np.array(steps, float), np.array([Power(each).exponent for each in lengths])
    target = np.array([step], float), np.array([Power(length).exponent])
    products = _products(times[:, None], exponents[:, None], times, exponents)
    wanted = _products(times, exponents, *target)
    # Where many snapshots are alike the equations are nearly singular: the smallest solution.
    factors = np.linalg.lstsq(products, wanted, rcond=None)[0]
    factors /= factors.sum()
    norm = float(_products(*target, *target)[0])
    distance = factors @ products @ factors - 2 * factors @ wanted + norm
    return factors, float(np.sqrt(max(distance, 0.0) / norm))


def _products(
    times: np.ndarray, exponents: np.ndarray, others: np.ndarray, other_exponents: np.ndarray
) -> np.ndarray:
    """The integrals of products of two profiles, (γ + 1) s^γ / t^(γ + 1) for s from 0 to t."""
    power = np.where(times < others, other_exponents, -exponents)
    numerator = (exponents + 1) * (other_exponents + 1) * (times / others) ** power
    return numerator / ((exponents + other_exponents + 1) * np.maximum(times, others))


def find_snapshots(run: RunDir, path: str) -> list[Snapshot]:
    """The snapshots in the checkpoints of a run, oldest first.

    Args:
      run: The run.
      path: Checkpoint whose generator they fit; others come from another architecture.

    Raises:
      UserError: That checkpoint has no such average.
    """
    shapes = next(iter(_stored_averages(path).values()))
    found = []
    for each in run.list_checkpoints():
        step = engine.step_of(each)
        if step == 0 or not is_complete(each):
            continue
        if damage := damage_of(each):
            _log.warning("%s Its averages are left out.", damage)
            continue
        averages = _averages(each)
        found += [Snapshot(each, step, length) for length in averages if averages[length] == shapes]
    return found


def _stored_averages(path: str) -> dict[float, dict[str, tuple[int, ...]]]:
    """As `_averages`; raises UserError if there are none."""
    averages = _averages(path)
    if not averages:
        raise UserError(
            f"Checkpoint '{path}' has no averages to make others from: train with "
            "ModularGAN.g_use_ema = True and ModularGAN.ema_lengths = (0.05, 0.1)."
        )
    return averages


def _averages(path: str) -> dict[float, dict[str, tuple[int, ...]]]:
    """The shapes of the variables of the power-function averages in a checkpoint, by length."""
    if not is_complete(path):
        return {}
    averages: dict[float, dict[str, tuple[int, ...]]] = {}
    with CheckpointReader(path) as reader:
        for name, entry in reader.variables.items():
            if match := _NAME.fullmatch(name):
                averages.setdefault(float(match[1]), {})[match[2]] = entry.shape
    return averages


@dataclasses.dataclass(frozen=True)
class OfLength:
    """An average of the length of a power function, made from the snapshots of a run.

    Attributes:
      length: Standard deviation of the profile, as a fraction of the training.

    Raises:
      UserError: No power function has this length.

    Example:
      >>> from compare_gan.training.post_hoc import OfLength
      >>> str(OfLength(0.1)), OfLength(0.1).folder
      ('ema of length 0.1', 'ema_length_0.1')
    """

    length: float

    def __post_init__(self) -> None:
        check_length("--length", self.length)

    def __str__(self) -> str:
        return f"ema of length {self.length:.12g}"

    @property
    def folder(self) -> str:
        """Name of the directory for it in that of the run."""
        return f"ema_length_{self.length:.12g}"

    def check(self, path: str) -> None:
        """Raises UserError if the average cannot be made at a checkpoint."""
        _stored_averages(path)

    def read(self, run: RunDir, path: str) -> dict[str, np.ndarray]:
        """The average at a checkpoint, float32 by the paths of the variables.

        Raises:
          UserError: See `find_snapshots`.
        """
        snapshots = find_snapshots(run, path)
        factors, misfit = coefficients(
            [each.step for each in snapshots],
            [each.length for each in snapshots],
            engine.step_of(path),
            self.length,
        )
        if misfit > _MISFIT:
            _log.warning(
                "The %d averages in %d checkpoints miss the profile of length %g by %.0f %%: a "
                "smaller run_config.save_checkpoints_steps stores more.",
                len(snapshots),
                len({each.step for each in snapshots}),
                self.length,
                100 * misfit,
            )
        total: dict[str, np.ndarray] = {}
        for snapshot, factor in zip(snapshots, factors, strict=True):
            # In float64: large factors of both signs cancel.
            for name, value in _read(snapshot.path, name_of_length(snapshot.length)).items():
                total[name] = total.get(name, 0.0) + factor * value.astype(np.float64)
        return {name: value.astype(np.float32) for name, value in total.items()}


@dataclasses.dataclass(frozen=True)
class OfHalfLife:
    """One of the averages of `ema_other_half_lives`.

    Attributes:
      images: Half-life in images.

    Example:
      >>> from compare_gan.training.post_hoc import OfHalfLife
      >>> str(OfHalfLife(500000)), OfHalfLife(500000).folder
      ('ema of half-life 500000', 'ema_half-life_500000')
    """

    images: float

    def __str__(self) -> str:
        return f"ema of half-life {self.images:.12g}"

    @property
    def folder(self) -> str:
        """Name of the directory for it in that of the run."""
        return f"ema_half-life_{self.images:.12g}"

    def check(self, path: str) -> None:
        """Raises UserError if a checkpoint does not have the average."""
        if not _stored_names(path, name_of_half_life(self.images)):
            raise UserError(
                f"Checkpoint '{path}' has no average of half-life {self.images:.12g}: train with "
                "it in ModularGAN.ema_other_half_lives."
            )

    def read(self, run: RunDir, path: str) -> dict[str, np.ndarray]:
        """The average in a checkpoint, by the paths of the variables.

        Raises:
          UserError: See `check`.
        """
        self.check(path)
        return _read(path, name_of_half_life(self.images))


def _read(path: str, average: str) -> dict[str, np.ndarray]:
    names = _stored_names(path, average)
    with CheckpointReader(path) as reader:
        return {name.removeprefix(f"{average}/"): reader.read(name) for name in names}


def _stored_names(path: str, average: str) -> list[str]:
    """The names of an average's variables in a checkpoint."""
    if not is_complete(path):
        return []
    with CheckpointReader(path) as reader:
        return [name for name in reader.variables if name.startswith(f"{average}/")]


def check_folder(folder: str) -> None:
    """Raises UserError unless a run directory can be written there.

    Example:
      >>> from compare_gan.training.post_hoc import check_folder
      >>> check_folder("runs/new")
    """
    paths.check_place(folder)
    if os.path.exists(folder) and not (os.path.isdir(folder) and not os.listdir(folder)):
        raise UserError(f"'{folder}' is not an empty directory: choose another --out.")


def write_run(source: RunDir, model: RestoredModel, folder: str) -> str:
    """Writes a run directory with one checkpoint, in which the moving average is that of a model.

    `sample`, `eval` and `export` take it like any other run.

    Args:
      source: The run that the model comes from.
      model: The model, with the average (see `RestoredModel.with_average`).
      folder: Directory to create.

    Returns:
      `folder`.

    Raises:
      UserError: It exists and is not an empty directory.
    """
    check_folder(folder)
    with files.atomic(os.path.realpath(folder)) as staging:
        os.mkdir(staging)
        target = RunDir(staging)
        _copy(source, target)
        checkpoints = engine.Checkpoints(model.state, target.checkpoints)
        checkpoints.save()
        checkpoints.wait()
        target.average.write(model.step, model.weights)
    return folder


def _copy(source: RunDir, target: RunDir) -> None:
    for name in _COPIED:
        if os.path.isfile(source.file(name)):
            shutil.copyfile(source.file(name), target.file(name))
    for name in _COPIED_FOLDERS:
        if os.path.isdir(source.file(name)):
            shutil.copytree(source.file(name), target.file(name))
