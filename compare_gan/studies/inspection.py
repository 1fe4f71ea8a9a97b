"""Looks into the configs of a study before its first run: mistakes, and what runs can share.

Parsing needs the engine and gin's bindings, which belong to the whole process, and checks may
reserve the memory of a GPU: `inspect_apart` does it all in a process of its own.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from compare_gan.errors import MistakesError, UserError
from compare_gan.studies.definition import StudyDefinition, StudyRun

_log = logging.getLogger(__name__)

_PLACE = "--gin_bindings: "
_MISTAKES, _LABELS = "mistakes", "labels"
# The working directory comes last: modules of Python would be taken from there.
_CODE = f"import sys; sys.path.append(sys.path.pop(0)); from {__name__} import answer; answer()"
# Hides GPUs from TensorFlow and JAX.
_WITHOUT_GPU = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}


def inspect(study: StudyDefinition, runs: Sequence[StudyRun]) -> dict[str, str]:
    """Checks the configs of runs as `train` does, and finds runs that can share inferred labels.

    Args:
      study: The study.
      runs: The runs that are still to be made.

    Returns:
      For each run that needs inferred labels, by name, a key: runs with the same key need the same
      labels.

    Raises:
      UserError: The only mistake.
      MistakesError: All of several mistakes; one that concerns several variants is there once.
        Likewise, a warning names the variants that it concerns, unless it concerns all.

    Example:
      >>> from compare_gan.studies import define
      >>> from compare_gan.studies.inspection import inspect
      >>> study = define(base="s2gan_fashion_mnist", seeds=2)
      >>> keys = inspect(study, study.runs)  # doctest: +SKIP
      >>> len(set(keys.values()))  # doctest: +SKIP
      2
    """
    from compare_gan import config

    mistakes: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    seen: set[str] = set()
    variants = len({run.variant.name for run in runs})
    with config.bindings_kept(), _messages(variants) as messages:
        for run in runs:
            messages.variant = run.variant.name
            first = run.variant.name not in seen
            if not first and not run.variant.infers_labels:
                continue
            seen.add(run.variant.name)
            try:
                experiment = _experiment(run)
                if first:
                    _check(experiment, seen)
                    _check_interval(study, experiment)
            except UserError as error:
                for each in error.errors if isinstance(error, MistakesError) else [error]:
                    sentence = str(each).split("\n")[0].removeprefix(_PLACE)
                    mistakes.setdefault(sentence, []).append(run.variant.name)
                continue
            if run.variant.infers_labels:
                labels[run.name] = _labels_key(experiment)
    _raise_any([_described(sentence, names) for sentence, names in mistakes.items()])
    return labels


def _experiment(run: StudyRun) -> Any:
    from compare_gan import config
    from compare_gan.training.experiment import Experiment

    mistakes = config.Mistakes()
    config.parse((), [run.variant.config, *run.bindings], mistakes=mistakes)
    return Experiment.from_gin(mistakes)


def _check(experiment: Any, seen: set[str]) -> None:
    """Checks an experiment; opens its data set unless one like it has been opened."""
    with experiment.bindings.active():
        experiment.check()
        key = f"{experiment.data} {experiment.evaluation} {experiment.label_options}"
        if key not in seen:
            seen.add(key)
            experiment.check_labels(None)
            experiment.check_evaluation()


def _check_interval(study: StudyDefinition, experiment: Any) -> None:
    """Raises UserError if an interval of scores was chosen that no checkpoint is at."""
    chosen, steps = study.eval_every_steps, experiment.options.training_steps
    saved = experiment.run_config.save_checkpoints_steps
    is_chosen = chosen != StudyDefinition.eval_every_steps
    if is_chosen and chosen < steps <= math.lcm(chosen, saved):
        raise UserError(
            f"No checkpoint before the last is at a multiple of study.eval_every_steps, {chosen}: "
            f"run_config.save_checkpoints_steps is {saved}."
        )


def _labels_key(experiment: Any) -> str:
    """A key of all options that the inferred labels of an experiment depend on."""
    depends = [dataclasses.asdict(experiment.data), experiment.label_options.key()]
    text = json.dumps(depends, sort_keys=True, default=repr)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _described(sentence: str, variants: Sequence[str]) -> str:
    more = len(variants) - 1
    others = f" and {more} more" if more else ""
    return f"The variant '{variants[0]}'{others}: {sentence}"


def inspect_apart(
    study: StudyDefinition, runs: Sequence[StudyRun], environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Does what `inspect` does in a process of its own, which uses no GPU.

    Args:
      study: The study.
      runs: See `inspect`.
      environment: Environment variables; None = those of this process.

    Raises:
      UserError, MistakesError: See `inspect`.
    """
    request = {"study": study.to_json(), "runs": [run.name for run in runs]}
    environment = dict(os.environ if environment is None else environment)
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        input=json.dumps(request),
        env=environment | _WITHOUT_GPU,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends that one.
    )
    if done.returncode:
        raise UserError(
            "The configs of the study could not be checked: see the error above (exit status "
            f"{done.returncode})."
        )
    found = json.loads(done.stdout.splitlines()[-1])
    _raise_any(found[_MISTAKES])
    return found[_LABELS]


def _raise_any(sentences: Sequence[str]) -> None:
    errors = [UserError(each) for each in sentences]
    if errors:
        raise errors[0] if len(errors) == 1 else MistakesError(errors)


def answer() -> None:
    """Answers a request of `inspect_apart` on standard input with a line of JSON."""
    from compare_gan.startup import prepare_engine

    request = json.load(sys.stdin)
    study = StudyDefinition.from_json(request["study"])
    runs = [run for run in study.runs if run.name in request["runs"]]
    found: dict[str, Any] = {_MISTAKES: [], _LABELS: {}}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            prepare_engine()
            found[_LABELS] = inspect(study, runs)
    except UserError as error:
        errors = error.errors if isinstance(error, MistakesError) else [error]
        found[_MISTAKES] = [str(each) for each in errors]
    print(json.dumps(found))


class _Messages(logging.Filter):
    """Shows once what checks say, and keeps their warnings until it is known whom they concern.

    Attributes:
      variant: Name of the variant that is being checked.
      warnings: For each warning, the names of the variants that gave it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.variant = ""
        self.warnings: dict[str, list[str]] = {}
        self._said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if record.levelno >= logging.WARNING:
            names = self.warnings.setdefault(message, [])
            if self.variant not in names:
                names.append(self.variant)
            return False
        is_new = message not in self._said
        self._said.add(message)
        return is_new


@contextlib.contextmanager
def _messages(variants: int) -> Iterator[_Messages]:
    """Leaves out what the check of another config has said; names the variants of warnings."""
    messages, handlers = _Messages(), logging.getLogger("compare_gan").handlers
    for handler in handlers:
        handler.addFilter(messages)
    try:
        yield messages
    finally:
        for handler in handlers:
            handler.removeFilter(messages)
        for sentence, names in messages.warnings.items():
            _log.warning(sentence if len(names) == variants else _described(sentence, names))
