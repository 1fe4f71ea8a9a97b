"""The definition of a study: axes, seeds and budget, and the runs that they amount to."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

from compare_gan.config.bound_values import bound_values
from compare_gan.config.inclusion import whole_text
from compare_gan.errors import (
    UserError,
    check_positive_integer,
    unknown_name,
    with_known_names,
)
from compare_gan.studies.values import (
    AxisValue,
    gin_text,
    label_of,
    make_axis,
    safe_name,
    split_bindings,
    variant_name,
)

_DATA_SEED = 547  # The default of `dataset.seed`, which the seed of a run is added to.
_LARGEST_SEED = 2**31 - 1 - _DATA_SEED
_SEEDS = ("run_config.tf_random_seed", "dataset.seed", "infer_labels.seed")


@dataclasses.dataclass(frozen=True)
class Variant:
    """A combination of values of the axes; its runs differ in the seed alone.

    Attributes:
      name: Name that is safe for file systems.
      axes: For each axis, by name, the label of the value.
      config: Text of the gin config of its runs, without their seeds.

    Example:
      >>> from compare_gan.studies import Variant
      >>> variant = Variant("sn", {"norm": "sn"}, "options.training_steps = 10")
      >>> variant.steps, variant.infers_labels
      (10, False)
    """

    name: str
    axes: Mapping[str, str]
    config: str

    @functools.cached_property
    def values(self) -> dict[str, Any]:
        """The values that the config binds, by parameter."""
        return bound_values(self.config)

    @property
    def steps(self) -> int:
        """Number of generator steps."""
        return self.values["options.training_steps"]

    @property
    def infers_labels(self) -> bool:
        """Whether the runs are trained on inferred labels."""
        return bool(self.values.get("dataset.inferred_labels"))

    @property
    def images_per_step(self) -> int:
        """Number of real images in the discriminator steps of a generator step."""
        batch_size = self.values.get("options.batch_size", 0)
        return batch_size * self.values.get("options.disc_iters", 1)


@dataclasses.dataclass(frozen=True)
class StudyRun:
    """One run of a study.

    Attributes:
      variant: Its variant.
      seed: Its seed.

    Example:
      >>> from compare_gan.studies import StudyRun, Variant
      >>> run = StudyRun(Variant("sn", {"norm": "sn"}, "D.spectral_norm = True"), seed=2)
      >>> run.name, run.bindings
      ('sn-seed2', ('run_config.tf_random_seed = 2', 'dataset.seed = 549'))
    """

    variant: Variant
    seed: int

    @property
    def name(self) -> str:
        """Name of the run, also of its directory."""
        return f"{self.variant.name}-seed{self.seed}"

    @property
    def bindings(self) -> tuple[str, ...]:
        """The bindings that are added to the config of the variant."""
        bound = {_SEEDS[0]: self.seed, _SEEDS[1]: _DATA_SEED + self.seed}
        if self.variant.infers_labels:
            bound[_SEEDS[2]] = self.seed
        return tuple(f"{name} = {value}" for name, value in bound.items())


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudyDefinition:
    """All that defines a study.

    `define` makes one from the values of a study file, and checks them.

    Attributes:
      base: Text of the base config, which includes no other file.
      axes: For each axis, by name, its values by label.
      bindings: Bindings added to every run.
      exclude: Combinations that are not run: for some axes, by name, labels.
      seeds: Seeds of the runs of each variant.
      steps: Generator steps of each run; None = those of the config.
      metrics: Names of the metrics; None = those of the config.
      protocol: Name of the evaluation protocol; None = that of the config.
      averaging_runs: Sets of samples over which every score is averaged.
      eval_every_steps: Interval of the checkpoints that are scored, in steps; the last one is
        scored in any case.
      title: Title of tables and pages.
      description: A few sentences about the study.
      source: Text of the study file.

    Example:
      >>> from compare_gan.studies import define
      >>> study = define(
      ...     base="supervised_fashion_mnist", axes={"loss.fn": ["@hinge", "@wasserstein"]}, seeds=2
      ... )
      >>> [run.name for run in study.runs]
      ['hinge-seed1', 'wasserstein-seed1', 'hinge-seed2', 'wasserstein-seed2']
    """

    base: str
    axes: Mapping[str, Mapping[str, AxisValue]] = dataclasses.field(default_factory=dict)
    bindings: tuple[str, ...] = ()
    exclude: tuple[Mapping[str, tuple[str, ...]], ...] = ()
    seeds: tuple[int, ...] = (1,)
    steps: int | None = None
    metrics: tuple[str, ...] | None = None
    protocol: str | None = None
    averaging_runs: int = 3
    eval_every_steps: int = 5000
    title: str = ""
    description: str = ""
    source: str = dataclasses.field(default="", repr=False, compare=False)

    @functools.cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The combinations of values that are run, the last axis varying fastest."""
        combinations = itertools.product(*(axis.values() for axis in self.axes.values()))
        found = (dict(zip(self.axes, values, strict=True)) for values in combinations)
        return tuple(self._variant(values) for values in found if not self._is_excluded(values))

    @functools.cached_property
    def runs(self) -> tuple[StudyRun, ...]:
        """All runs in the order of execution: the first seed of every variant, then the next."""
        return tuple(StudyRun(variant, seed) for seed in self.seeds for variant in self.variants)

    def with_seeds(self, seeds: Sequence[int]) -> "StudyDefinition":
        """The study with other seeds."""
        return dataclasses.replace(self, seeds=tuple(seeds))

    def _is_excluded(self, values: Mapping[str, AxisValue]) -> bool:
        return any(
            all(values[axis].label in labels for axis, labels in rule.items())
            for rule in self.exclude
        )

    def _variant(self, values: Mapping[str, AxisValue]) -> Variant:
        labels = {axis: value.label for axis, value in values.items()}
        parts = [self.base, *(value.base for value in values.values())]
        parts.append(_section("All runs", self.bindings))
        parts += [
            _section(f"{axis}: {value.label}", value.bindings) for axis, value in values.items()
        ]
        parts.append(_section("Budget and evaluation", self._own_bindings()))
        config = "\n".join(part for part in parts if part)
        return Variant(safe_name(variant_name(labels)) or "run", labels, config)

    def _own_bindings(self) -> list[str]:
        values = {
            "options.training_steps": self.steps,
            "evaluation.metrics": None if self.metrics is None else list(self.metrics),
            "evaluation.protocol": self.protocol,
        }
        return [f"{name} = {gin_text(v)}" for name, v in values.items() if v is not None]

    def to_json(self) -> dict[str, Any]:
        """The inverse of `from_json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "StudyDefinition":
        """The definition that `to_json` has written.

        Args:
          content: A JSON object.

        Raises:
          KeyError, TypeError, AttributeError: It is not a study.
        """
        given = dict(content)
        given["axes"] = {
            axis: {
                label: AxisValue(label, tuple(value["bindings"]), value["base"])
                for label, value in values.items()
            }
            for axis, values in content["axes"].items()
        }
        given["exclude"] = tuple(
            {axis: tuple(labels) for axis, labels in rule.items()} for rule in content["exclude"]
        )
        for field in ("bindings", "seeds", "metrics"):
            given[field] = None if content[field] is None else tuple(content[field])
        return cls(**given)


def define(*, folder: str = "", **given: Any) -> StudyDefinition:
    """A study from the values of a study file, which Python writes alike.

    References are strings (`"@hinge"`).

    Args:
      folder: Folder in which configs are searched for first.
      **given: `base`, `bindings`, `axes`, `exclude`, `seeds`, `steps`, `metrics`, `protocol`,
        `averaging_runs`, `eval_every_steps`, `title`, `description`.

    Returns:
      The definition, whose structure has been checked; `check_configs` checks its configs.

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
    included, bindings = split_bindings("study.bindings", given.get("bindings", ()), folder)
    base = _base_text(given.get("base", ()), folder) + included
    for name in ("steps", "averaging_runs", "eval_every_steps"):
        if given.get(name) is not None:
            check_positive_integer(f"study.{name}", given[name])
    for name in ("protocol", "title", "description"):
        if not isinstance(given.get(name) or "", str):
            raise UserError(f"study.{name} must be a string, received {given[name]!r}.")
    axes = _axes(given.get("axes"), folder)
    study = StudyDefinition(
        **given
        | {
            "base": base,
            "axes": axes,
            "bindings": bindings,
            "exclude": _exclude(given.get("exclude", ()), axes),
            "seeds": _seeds(given.get("seeds", 1)),
            "metrics": _names("metrics", given.get("metrics")),
            "source": "".join(f"study.{name} = {gin_text(each)}\n" for name, each in given.items()),
        }
    )
    _check_conflicts(study)
    _check_variants(study)
    return study


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


def _exclude(
    given: Any, axes: Mapping[str, Mapping[str, AxisValue]]
) -> tuple[dict[str, tuple[str, ...]], ...]:
    rules = []
    for rule in [given] if isinstance(given, Mapping) else given:
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
    bound_by = dict.fromkeys(_SEEDS, "study.seeds")
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


def _refuse_both(parameters: set[str], subject: str, bound_by: Mapping[str, str]) -> None:
    if parameters:
        name = min(parameters)
        raise UserError(f"{subject} and {bound_by[name]} both bind {name}: only one of them may.")


def _check_variants(study: StudyDefinition) -> None:
    if not study.variants:
        raise UserError("study.exclude leaves no combination of study.axes to run.")
    named: dict[str, Variant] = {}
    for variant in study.variants:
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


def _section(title: str, bindings: Sequence[str]) -> str:
    return "\n".join([f"# {title}", *bindings, ""]) if bindings else ""
