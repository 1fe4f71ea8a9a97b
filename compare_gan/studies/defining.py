"""Makes the definition of a study from the values of its file, and checks them."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from compare_gan.config.inclusion import whole_text
from compare_gan.errors import (
    UserError,
    check_positive_integer,
    unknown_name,
    with_known_names,
)
from compare_gan.studies.definition import DATA_SEED, SEED_PARAMETERS, StudyDefinition, Variant
from compare_gan.studies.ranges import make_ranges
from compare_gan.studies.values import AxisValue, gin_text, label_of, make_axis, split_bindings

# How a search chooses, and what ends its trials early; the default first.
SAMPLERS = ("tpe", "random")
PRUNERS = ("none", "median", "successive_halving")
_LARGEST_SEED = 2**31 - 1 - DATA_SEED


def define(*, folder: str = "", **given: Any) -> StudyDefinition:
    """A study from values such as a study file has them; references are strings (`"@hinge"`).

    Args:
      folder: Folder in which configs are searched for first.
      **given: `base`, `bindings`, `axes`, `exclude`, `seeds`, `steps`, `metrics`, `protocol`,
        `averaging_runs`, `eval_every_steps`, `title`, `description`; for a search `trials`,
        `search`, `objective`, `sampler`, `search_seed`, `pruner`, `pruning_steps`.

    Returns:
      The definition, whose structure has been checked; `inspection.inspect` checks its configs.

    Raises:
      UserError: A name is unknown or a value is not allowed.

    Example:
      >>> from compare_gan.studies import define
      >>> study = define(
      ...     base="supervised_fashion_mnist",
      ...     axes={"norm": {"none": [], "sn": ["D.spectral_norm = True"]}},
      ...     seeds=[7],
      ...     steps=100,
      ... )
      >>> [(run.name, run.variant.steps) for run in study.runs]
      [('none-seed7', 100), ('sn-seed7', 100)]
    """
    known = [field.name for field in dataclasses.fields(StudyDefinition) if field.repr]
    for name in given:
        if name not in known:
            raise unknown_name("option", f"study.{name}", [f"study.{each}" for each in known])
    given = {name: value for name, value in given.items() if value is not None}
    included, bindings = split_bindings("study.bindings", given.get("bindings", ()), folder)
    base = _base_text(given.get("base", ()), folder) + included
    for name in ("steps", "averaging_runs", "eval_every_steps", "trials", "search_seed"):
        if name in given:
            check_positive_integer(f"study.{name}", given[name])
    for name in ("protocol", "title", "description"):
        if not isinstance(given.get(name, ""), str):
            raise UserError(f"study.{name} must be a string, received {given[name]!r}.")
    axes = _axes(given.get("axes"), folder)
    _check_search(given)
    study = StudyDefinition(
        **given
        | {
            "base": base,
            "axes": axes,
            "bindings": bindings,
            "exclude": _exclude(given.get("exclude", ()), axes),
            "seeds": _seeds(given.get("seeds", 1)),
            "search": make_ranges(given.get("search")),
            "pruning_steps": (),
            "metrics": _names("metrics", given.get("metrics")),
            "source": "".join(f"study.{name} = {gin_text(each)}\n" for name, each in given.items()),
        }
    )
    _check_conflicts(study)
    _check_variants(study)
    return dataclasses.replace(study, pruning_steps=_pruning_steps(given, study))


def _base_text(given: Any, folder: str) -> str:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, (list, tuple)) or not all(isinstance(n, str) and n for n in names):
        raise UserError(
            f"study.base must be a gin file or the name of an example config, or a list of some, "
            f"received {given!r}."
        )
    beside = (os.path.join(folder, name) for name in names)
    texts = [
        whole_text(path if os.path.isfile(path) else name)
        for path, name in zip(beside, names, strict=True)
    ]
    return "\n".join(texts)


def _axes(given: Any, folder: str) -> dict[str, dict[str, AxisValue]]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise UserError(f"study.axes must be a dict of axes by name, received {given!r}.")
    if not given:
        raise UserError("study.axes is empty: give it an axis, or leave it out to vary the seed.")
    return {name: make_axis(name, values, folder) for name, values in given.items()}


def _check_search(given: Mapping[str, Any]) -> None:
    """Raises UserError if options of a search are there without one, or do not fit."""
    if given.get("trials") is None:
        for name in ("search", "objective", "sampler", "search_seed", "pruner", "pruning_steps"):
            if name in given:
                raise UserError(
                    f"study.{name} is for a search: it needs study.trials, their number."
                )
        return
    if not given.get("axes") and not given.get("search"):
        raise UserError("study.trials is for a search: it needs study.axes or study.search.")
    if given.get("exclude"):
        raise UserError("study.exclude is not possible in a search (study.trials).")
    if not isinstance(given.get("objective"), str):
        raise UserError(
            "study.trials is for a search: it needs study.objective, the name of a score such as "
            "'fid_fashion_cnn'."
        )
    sampler = given.get("sampler", SAMPLERS[0])
    if sampler not in SAMPLERS:
        raise unknown_name("study.sampler", str(sampler), SAMPLERS)
    _check_pruner(given)


def _check_pruner(given: Mapping[str, Any]) -> None:
    pruner = given.get("pruner", PRUNERS[0])
    if pruner not in PRUNERS:
        raise unknown_name("study.pruner", str(pruner), PRUNERS)
    if pruner != PRUNERS[0] and "pruning_steps" not in given:
        raise UserError(
            "study.pruner needs study.pruning_steps: the steps at which trials are compared, or "
            "the interval between them."
        )
    if pruner == PRUNERS[0] and "pruning_steps" in given:
        raise UserError(
            f"study.pruning_steps needs a study.pruner: {' or '.join(map(repr, PRUNERS[1:]))}."
        )


def _pruning_steps(given: Mapping[str, Any], study: StudyDefinition) -> tuple[int, ...]:
    """The steps at which the trials of a search are compared, in order; an interval is expanded."""
    steps = given.get("pruning_steps")
    if steps is None:
        return ()
    lengths = [variant.steps for variant in study.samples]
    is_list = isinstance(steps, (list, tuple))
    for step in steps if is_list else [steps]:
        check_positive_integer("study.pruning_steps", step)
        if step >= min(lengths):
            raise UserError(
                "study.pruning_steps must be below the last step of training "
                f"(options.training_steps), {min(lengths)}, received {step}."
            )
    if not is_list:
        return tuple(range(steps, max(lengths), steps))
    if not steps:
        raise UserError("study.pruning_steps is empty: it needs a step, or an interval.")
    return tuple(sorted(set(steps)))


def _exclude(
    given: Any, axes: Mapping[str, Mapping[str, AxisValue]]
) -> tuple[dict[str, tuple[str, ...]], ...]:
    rules = []
    for rule in given if isinstance(given, (list, tuple)) else [given]:
        if not isinstance(rule, Mapping) or not rule:
            raise UserError(
                f"study.exclude must list combinations such as {{'axis': 'label'}}, received "
                f"{rule!r}."
            )
        labels = {}
        for axis, chosen in rule.items():
            if axis not in axes:
                sentence = f"study.exclude names an axis '{axis}', which the study does not have."
                raise UserError(with_known_names(sentence, str(axis), axes))
            listed = chosen if isinstance(chosen, (list, tuple)) else [chosen]
            labels[axis] = tuple(_label_in(axis, axes[axis], each) for each in listed)
        rules.append(labels)
    return tuple(rules)


def _label_in(axis: str, values: Mapping[str, AxisValue], given: Any) -> str:
    label = label_of(given)
    if label not in values:
        sentence = f"study.exclude names a label '{label}', which the axis '{axis}' does not have."
        raise UserError(with_known_names(sentence, label, values))
    return label


def _seeds(given: Any) -> tuple[int, ...]:
    if isinstance(given, int) and not isinstance(given, bool):
        check_positive_integer("study.seeds", given)
        return tuple(range(1, given + 1))
    if not isinstance(given, (list, tuple)) or not given:
        raise UserError(f"study.seeds must be a number of seeds or a list, received {given!r}.")
    for seed in given:
        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= _LARGEST_SEED:
            raise UserError(
                f"study.seeds must contain integers from 0 to {_LARGEST_SEED}, received {seed!r}."
            )
    if len(set(given)) < len(given):
        raise UserError(f"study.seeds has a seed twice: {given!r}.")
    return tuple(given)


def _names(option: str, given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not isinstance(given, (list, tuple)) or not given:
        raise UserError(f"study.{option} must be a list of names, received {given!r}.")
    if not all(isinstance(name, str) for name in given):
        raise UserError(f"study.{option} must be a list of names, received {given!r}.")
    return tuple(name.removeprefix("@") for name in given)


def _check_conflicts(study: StudyDefinition) -> None:
    """Raises UserError if two parts of a study bind the same parameter."""
    bound_by = dict.fromkeys(SEED_PARAMETERS, "study.seeds")
    for name, option in (
        ("options.training_steps", "steps"),
        ("evaluation.metrics", "metrics"),
        ("evaluation.protocol", "protocol"),
    ):
        if getattr(study, option) is not None:
            bound_by[name] = f"study.{option}"
    common = AxisValue("", study.bindings).parameters
    _refuse_both(common & bound_by.keys(), "study.bindings", bound_by)
    for axis, values in study.axes.items():
        subject = f"study.axes['{axis}']"
        parameters = set().union(*(value.parameters for value in values.values()))
        _refuse_both(parameters & bound_by.keys(), subject, bound_by)
        bound_by |= dict.fromkeys(parameters, subject)
    for name in study.search:
        _refuse_both({name} & bound_by.keys(), f"study.search['{name}']", bound_by)


def _refuse_both(parameters: set[str], subject: str, bound_by: Mapping[str, str]) -> None:
    if parameters:
        name = min(parameters)
        raise UserError(f"{subject} and {bound_by[name]} both bind {name}: only one of them may.")


def _check_variants(study: StudyDefinition) -> None:
    variants = study.variants if study.trials is None else study.samples
    if not variants:
        raise UserError("study.exclude leaves no combination of study.axes to run.")
    named: dict[str, Variant] = {}
    for variant in variants:
        _check_text(variant.config)
        other = named.setdefault(variant.name, variant)
        if other is not variant:
            labels = [" × ".join(each.axes.values()) for each in (other, variant)]
            raise UserError(
                f"study.axes: the runs of '{labels[0]}' and of '{labels[1]}' would have the same "
                f"name, '{variant.name}': choose other labels."
            )
        steps = variant.values.get("options.training_steps")
        if steps is None:
            raise UserError(
                "study.steps is needed, because study.base does not bind options.training_steps."
            )
        check_positive_integer("options.training_steps (study.steps)", steps)


def _check_text(text: str) -> None:
    """Raises UserError if a file cannot hold the text: it has half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            f"A label or value of the study contains {text[error.start]!a}, which is not a "
            "character: choose another one."
        ) from error
