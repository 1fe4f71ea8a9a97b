"""Monitors of a run: values, the rules that they meet, and their records."""

import json
import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from keras import ops

from compare_gan import damaged, files
from compare_gan.datasets import Dataset, eval_batches
from compare_gan.errors import check_version
from compare_gan.gans import ModularGAN
from compare_gan.gans.tasks import ClassPredictionTask, RotationTask
from compare_gan.losses import requested
from compare_gan.training.monitors import measures
from compare_gan.training.monitors.critic import Critic
from compare_gan.training.monitors.rules import PREDICTOR, ROTATION, RULES, Training
from compare_gan.training.state import TrainState

_log = logging.getLogger(__name__)

_VERSION = 1
_FIRST_STEP = 100  # Before it a generator has learned nothing yet: few rules apply.
_SHORTEST_MOVE = 100  # Steps after which the samples of fixed latents must have changed.
_NUM_COMPARED = 500  # Training images that samples are compared with.
_NUM_JUDGED = 96  # Images of each set that the discriminator judges.
_NETWORKS = ("generator", "discriminator")
_CLASS_LOSS = "loss/class_loss"


class Monitors:
    """Watches a training for trouble; it neither changes nor ends it.

    At each sample grid it looks at the grid's images, the values of the steps since the one before,
    and the discriminator's logits of training images, held-out images and samples. A warning is
    given where a rule is met twice in a row, or at the last step, but not in the first 100 steps
    (`Rule.at_once`: at any step): once in the log, and in each line of `monitors.jsonl` as long as
    it lasts.

    Args:
      dataset: The data set.
      state: The state that training steps change.
      path: The file `monitors.jsonl`. Lines of steps after `first_step` are removed; a damaged file
        is set aside and continued with the lines that can be read.
      show: Called with the step, values by name and warnings in words, for TensorBoard.
      first_step: Step at which the run begins or resumes.

    Example:
      >>> import os, tempfile
      >>> import numpy as np
      >>> from compare_gan import datasets
      >>> from compare_gan.gans import ModularGAN
      >>> from compare_gan.training.monitors import Monitors
      >>> from compare_gan.training.state import TrainState
      >>> dataset = datasets.get_dataset("synthetic", num_examples=20, image_size=8)
      >>> state = TrainState(ModularGAN((8, 8, 3), None, "dummy_arch", z_dim=4), seed=0)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     monitors = Monitors(dataset, state, os.path.join(folder, "monitors.jsonl"))
      ...     monitors.observe(100, np.full((16, 8, 8, 3), 128, np.uint8), last=True)
      ['collapse']
    """

    def __init__(
        self,
        dataset: Dataset,
        state: TrainState,
        path: str,
        show: Callable[[int, dict[str, float], list[str]], None] | None = None,
        first_step: int = 0,
    ):
        self._dataset = dataset
        self._state = state
        self._path = path
        self._show = show
        lines = damaged.read_lines(path, _parse)
        if lines.reason:
            damaged.set_aside(path, lines.reason, "the other lines stay", keep=True)
        self._rows = [row for row in lines.rows if row["step"] <= first_step]
        self._histories: list[dict[str, np.ndarray]] = []
        self._before: tuple[int, np.ndarray] | None = None  # Earlier samples and their step.
        self._real: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._critic: Critic | None = None
        self._chance: float | None = None
        self._broken = False

    def collect(self, history: dict[str, np.ndarray]) -> None:
        """Takes the values of some steps, each float32 [steps], for the next observation."""
        self._histories.append(history)

    def observe(self, step: int, images: np.ndarray, last: bool = False) -> list[str]:
        """Records values and gives warnings.

        An error here is no reason to end a training: it is logged, and ends the monitoring.

        Args:
          step: The step.
          images: Samples of the fixed latents, uint8 [n, H, W, C].
          last: Whether the training ends here: a rule that is met once then suffices.

        Returns:
          The names of the rules that a warning is given for.
        """
        if self._broken:
            return []
        try:
            return self._observe(step, images, last)
        except Exception as error:
            self._broken = True
            _log.warning("Early warnings are disabled from step %d: %s", step, error, exc_info=True)
            return []

    def finish(self) -> None:
        """Logs the warnings that were given at the last observation."""
        found = self._rows[-1]["warnings"] if self._rows else []
        if found:
            words = "; ".join(f"{each['seen']}, since step {each['since']}" for each in found)
            _log.warning("Early warnings at the end, see monitors.jsonl: %s.", words)

    def _observe(self, step: int, images: np.ndarray, last: bool) -> list[str]:
        values = {
            name: value
            for name, value in (self._of_steps() | self._of_images(step, images)).items()
            if math.isfinite(value)
        }
        training = self._training()
        before = self._rows[-1] if self._rows else {"since": {}, "warnings": []}
        known = {each["monitor"] for each in before["warnings"]}
        since: dict[str, int] = {}
        warnings = []
        for rule in RULES:
            seen = rule.seen(values, training)
            if seen is None or (step < _FIRST_STEP and not rule.at_once):
                continue
            since[rule.name] = first = before["since"].get(rule.name, step)
            if rule.name not in before["since"] and not last and not rule.at_once:
                continue
            warning = {"monitor": rule.name, "since": first, "seen": seen}
            warnings.append(warning | {"advice": rule.advice(training)})
        words = [
            f"{w['seen']}, since step {w['since']}; often helps: {w['advice']}" for w in warnings
        ]
        for warning, text in zip(warnings, words, strict=True):
            if warning["monitor"] not in known:
                _log.warning("Step %d: %s", step, text)
        row = {"version": _VERSION, "step": step, "values": values, "since": since}
        self._rows.append(row | {"warnings": warnings})
        files.write_text(self._path, "".join(json.dumps(each) + "\n" for each in self._rows))
        if self._show:
            self._show(step, values, words)
        return [warning["monitor"] for warning in warnings]

    def _of_steps(self) -> dict[str, float]:
        """Values of the steps since the last observation."""
        if not self._histories:
            return {}
        names = self._histories[0]
        history = {name: np.concatenate([each[name] for each in self._histories]) for name in names}
        self._histories = []
        values: dict[str, float] = {}
        for network in _NETWORKS:
            name, growth = f"gradient_norm/{network}", f"gradient_growth/{network}"
            norm = float(np.median(history[name]))
            earlier = [row["values"].get(name) for row in self._rows]
            least = min((each for each in earlier if each and each > 1e-6), default=norm)
            values |= {name: norm, growth: norm / least if least > 0 else 1.0}
        losses = [history[name] for name in map("loss/{}".format, _NETWORKS) if name in history]
        if losses:
            values["largest_loss"] = float(np.max(np.abs(losses)))
        if "loss/d_loss" in history and self._loss_of_guessing() > 0:
            values["d_loss_share"] = (
                float(np.mean(history["loss/d_loss"])) / self._loss_of_guessing()
            )
        for name in (ROTATION, PREDICTOR):
            course = history.get(name)
            if course is not None and name == PREDICTOR and _CLASS_LOSS in history:
                course = course[history[_CLASS_LOSS] != 0]  # Steps without any label have none.
            if course is not None and len(course):
                values[name] = float(np.mean(course))
        return values

    def _of_images(self, step: int, images: np.ndarray) -> dict[str, float]:
        """Values of the samples and of the discriminator's logits."""
        compared, trained, held_out = self._real_images()
        fakes = measures.as_vectors(images)
        found: dict[str, float | None] = {
            "variety": measures.variety(fakes, compared),
            "copies": measures.share_of_copies(fakes, compared),
            "share_inside": measures.share_inside(images),
            "share_inside_real": measures.share_inside(trained),
        }
        if self._before is None:
            self._before = step, images
        elif step >= self._before[0] + _SHORTEST_MOVE:
            moved = np.abs(images.astype(np.float32) - self._before[1].astype(np.float32))
            found["movement"] = float(np.mean(moved)) / 255
            self._before = step, images
        if self._state.gan.adversarial_weight:
            found |= self._of_logits(trained, held_out, images)
        return {name: value for name, value in found.items() if value is not None}

    def _of_logits(
        self, trained: np.ndarray, held_out: np.ndarray, images: np.ndarray
    ) -> dict[str, float]:
        if self._critic is None:
            self._critic = Critic(self._state.gan)
        count = min(len(each) for each in (trained, held_out, images) if len(each))
        sets = {"real": trained, "held_out": held_out, "fake": images}
        sets = {name: each[:count] for name, each in sets.items() if len(each)}
        logits = dict(zip(sets, self._critic(*sets.values()), strict=True))
        values = {f"logit/{name}": float(each.mean()) for name, each in logits.items()}
        if "held_out" in logits:
            found = measures.overfitting(logits["real"], logits["held_out"], logits["fake"])
            if found:
                values["overfitting"], values["overfitting_errors"] = found
        return values

    def _real_images(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Training images as vectors; some as images; held-out images (none without a split)."""
        if self._real is None:
            trained = _first_images(self._dataset, "train", _NUM_COMPARED)
            split = self._dataset.held_out_split
            held_out = trained[:0]
            if split is not None:
                held_out = _first_images(self._dataset, split, _NUM_JUDGED)
            self._real = measures.as_vectors(trained), trained[:_NUM_JUDGED], held_out
        return self._real

    def _loss_of_guessing(self) -> float:
        """The discriminator's loss if it knows nothing; 0 where there is no such number."""
        if self._chance is None:
            self._chance = _loss_of_guessing(self._state.gan)
        return self._chance

    def _training(self) -> Training:
        gan, state = self._state.gan, self._state
        chances = {ROTATION: 0.25}
        if gan.num_classes:
            chances[PREDICTOR] = 1 / gan.num_classes
        return Training(
            g_lr=float(ops.convert_to_numpy(state.g_optimizer.learning_rate)),
            d_lr=float(ops.convert_to_numpy(state.d_optimizer.learning_rate)),
            spectral_norm=bool(getattr(gan.discriminator, "spectral_norm", False)),
            coverage=min(1.0, _NUM_COMPARED / self._dataset.num_train),
            weights=_task_weights(gan),
            chances=chances,
        )


def _loss_of_guessing(gan: ModularGAN) -> float:
    # Losses of labels or features depend on more than guesses of what is real.
    if not gan.adversarial_weight or requested(gan.loss):
        return 0.0
    zeros = ops.zeros((2, 2))  # Logits of images and, for the loss `unet`, of pixels.
    return float(ops.convert_to_numpy(gan.loss(zeros, zeros).d_loss))


def read(path: str) -> list[dict[str, Any]]:
    """The rows of `monitors.jsonl`, oldest first; lines that are damaged are left out.

    Example:
      >>> from compare_gan.training.monitors.monitors import read
      >>> read("no_such_file.jsonl")
      []
    """
    lines = damaged.read_lines(path, _parse)
    lines.warn(path)
    return lines.rows


def _parse(line: str, name: str) -> dict[str, Any]:
    row = damaged.parse_object(line, name)
    whole = all(isinstance(row[key], dict) for key in ("values", "since"))
    listed = isinstance(row["warnings"], list) and all(
        isinstance(each, dict) and {"monitor", "seen", "since"} <= each.keys()
        for each in row["warnings"]
    )
    if not (whole and listed and isinstance(row["step"], int)):
        raise ValueError(f"{name} is not a row of monitors")
    check_version(name, row, _VERSION)
    return row


def _first_images(dataset: Dataset, split: str, count: int) -> np.ndarray:
    batches = eval_batches(dataset, split, batch_size=100, num_examples=count)
    return np.concatenate([images for images, _ in batches])


def _task_weights(gan: ModularGAN) -> Mapping[str, float]:
    """Weights of the tasks by the names of their options in gin; schedules have none."""
    found: dict[str, Any] = {}
    for task in gan.tasks:
        for kind, scope, option in (
            (RotationTask, "rotation", "weight_rotation_loss_d"),
            (ClassPredictionTask, "class_prediction", "weight_class_loss"),
        ):
            if isinstance(task, kind):
                own = hasattr(gan, option)
                name = f"{type(gan).__name__}.{option}" if own else f"{scope}.weight_d"
                found[name] = task.weight_d
    return {name: float(value) for name, value in found.items() if not callable(value)}
