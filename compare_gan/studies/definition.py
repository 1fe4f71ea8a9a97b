"""The definition of a study: axes, seeds and budget, and the runs that they amount to."""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from compare_gan.config.bound_values import bound_values
from compare_gan.studies.ranges import Range
from compare_gan.studies.values import AxisValue, gin_text, safe_name, variant_name

_KINDS: dict[str, type] = {
    **dict.fromkeys(("base", "title", "description", "source", "protocol"), str),
    **dict.fromkeys(("steps", "averaging_runs", "eval_every_steps"), int),
}
_OPTIONAL = ("steps", "protocol")

_Kind = TypeVar("_Kind")
# The default of `dataset.seed`, which the seed of a run is added to.
DATA_SEED = 547
# Parameters that the seed of a run binds, the last one where labels are inferred.
SEED_PARAMETERS = ("run_config.tf_random_seed", "dataset.seed", "infer_labels.seed")


@dataclasses.dataclass(frozen=True)
class PruningDecision:
    """A comparison of a trial of a search with the others, and what it led to.

    Attributes:
      trial: The trial: for each axis and range, by name, a label.
      step: The step at which it was compared.
      value: Its value there, the mean of the objective over its seeds; None if there is none,
        because a run diverged or a score is not finite.
      pruned: Whether its training ended there.

    Example:
      >>> from compare_gan.studies import PruningDecision
      >>> PruningDecision({"loss.fn": "hinge"}, step=500, value=12.5, pruned=False).pruned
      False
    """

    trial: Mapping[str, str]
    step: int
    value: float | None
    pruned: bool


@dataclasses.dataclass(frozen=True)
class Variant:
    """A combination of values of the axes; its runs differ only in the seed.

    Attributes:
      name: Name that is safe for file systems.
      axes: For each axis, by name, the label of the value.
      config: Text of the gin config of its runs, without their seeds.
      chosen_by: What chose it, if its study is a search; None in a grid.
      stop: In a search that prunes, the next step at which its runs pause, to be compared; None =
        they are trained to the end.
      pruning: The decision that ended its training; None if it was not pruned.

    Example:
      >>> from compare_gan.studies import Variant
      >>> variant = Variant("sn", {"norm": "sn"}, "options.training_steps = 10")
      >>> variant.steps, variant.infers_labels
      (10, False)
    """

    name: str
    axes: Mapping[str, str]
    config: str
    chosen_by: str | None = None
    stop: int | None = None
    pruning: PruningDecision | None = None

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
        """Number of real images that the discriminator sees in a generator step; 0 if unknown."""
        return self.values.get("options.disc_iters", 1) * self.values.get("options.batch_size", 0)


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
        bound = {SEED_PARAMETERS[0]: self.seed, SEED_PARAMETERS[1]: DATA_SEED + self.seed}
        if self.variant.infers_labels:
            bound[SEED_PARAMETERS[2]] = self.seed
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
      trials: Number of combinations that a search chooses; None = all are run, without a search.
      search: For a search, ranges of further parameters, by name.
      objective: Score that a search improves.
      sampler: How a search chooses: `tpe` or `random`.
      search_seed: Seed of a search.
      pruner: What ends trials of a search early: `median`, `successive_halving` or `none`.
      pruning_steps: Steps at which trials are compared, in order; each trial at those below its
        number of steps.
      title: Title of tables and pages.
      description: A few sentences about the study.
      source: Text of the study file.
      trials_made: The combinations that a search has chosen: for each axis and range, by name, a
        label.
      pruning_decisions: The comparisons of trials that have been made, in order.

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
    trials: int | None = None
    search: Mapping[str, Range] = dataclasses.field(default_factory=dict)
    objective: str | None = None
    sampler: str = "tpe"
    search_seed: int = 1
    pruner: str = "none"
    pruning_steps: tuple[int, ...] = ()
    title: str = ""
    description: str = ""
    source: str = dataclasses.field(default="", repr=False, compare=False)
    trials_made: tuple[Mapping[str, str], ...] = dataclasses.field(default=(), repr=False)
    pruning_decisions: tuple[PruningDecision, ...] = dataclasses.field(default=(), repr=False)

    @functools.cached_property
    def variants(self) -> tuple[Variant, ...]:
        """The combinations of values that are run, the last axis varying fastest.

        In a search those that have been chosen, in this order.
        """
        if self.trials is not None:
            made = (tuple(trial[name] for name in self.searched) for trial in self.trials_made)
            return tuple(map(self._searched_variant, dict.fromkeys(made)))
        combinations = itertools.product(*(axis.values() for axis in self.axes.values()))
        found = (dict(zip(self.axes, values, strict=True)) for values in combinations)
        return tuple(self._variant(values) for values in found if not self._is_excluded(values))

    @functools.cached_property
    def runs(self) -> tuple[StudyRun, ...]:
        """All runs in the order of execution: the first seed of every variant, then the next."""
        return tuple(StudyRun(variant, seed) for seed in self.seeds for variant in self.variants)

    @property
    def searched(self) -> tuple[str, ...]:
        """Names of all that a search chooses values of."""
        return (*self.axes, *self.search)

    @property
    def samples(self) -> tuple[Variant, ...]:
        """Variants of a search with every label, and with both ends of every range."""
        labels = {axis: list(values) for axis, values in self.axes.items()}
        for name, each in self.search.items():
            labels[name] = [each.label(each.low), each.label(each.high)]
        count = max(map(len, labels.values()), default=0)
        return tuple(
            self._searched_variant([own[index % len(own)] for own in labels.values()])
            for index in range(count)
        )

    def with_trials(
        self, trials: Sequence[Mapping[str, str]], decisions: Sequence[PruningDecision]
    ) -> "StudyDefinition":
        """The study with the trials that have been chosen, and the comparisons of them.

        Those that it excludes are left out.
        """
        made = tuple(dict(trial) for trial in trials if self._has(trial))
        kept = tuple(each for each in decisions if each.trial in made)
        return dataclasses.replace(self, trials_made=made, pruning_decisions=kept)

    def _has(self, trial: Mapping[str, str]) -> bool:
        return (
            trial.keys() == set(self.searched)
            and all(trial[axis] in values for axis, values in self.axes.items())
            and all(each.has(trial[name]) for name, each in self.search.items())
        )

    def _searched_variant(self, labels: Sequence[str]) -> Variant:
        values = {
            name: self.axes[name][label] if name in self.axes else self.search[name].value(label)
            for name, label in zip(self.searched, labels, strict=True)
        }
        pruner = "" if self.pruner == "none" else f", pruner {self.pruner}"
        chosen_by = f"a search ({self.sampler}{pruner}) for the best {self.objective}"
        variant = dataclasses.replace(self._variant(values), chosen_by=chosen_by)
        decisions = self._decisions.get(tuple(labels), [])
        if decisions and decisions[-1].pruned:
            return dataclasses.replace(variant, pruning=decisions[-1])
        return dataclasses.replace(variant, stop=self._next_stop(variant, decisions))

    @functools.cached_property
    def _decisions(self) -> Mapping[tuple[str, ...], list[PruningDecision]]:
        """The comparisons of each trial, by its labels."""
        found: dict[tuple[str, ...], list[PruningDecision]] = {}
        for each in self.pruning_decisions:
            found.setdefault(tuple(each.trial[name] for name in self.searched), []).append(each)
        return found

    def _next_stop(self, variant: Variant, decisions: Sequence[PruningDecision]) -> int | None:
        compared = {each.step for each in decisions}
        left = (step for step in self.pruning_steps if step not in compared)
        return next((step for step in left if step < variant.steps), None)

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
                label: AxisValue(label, _all_of(str, value["bindings"]), _of(str, value["base"]))
                for label, value in values.items()
            }
            for axis, values in content["axes"].items()
        }
        given["exclude"] = tuple(
            {axis: _all_of(str, labels) for axis, labels in rule.items()}
            for rule in content["exclude"]
        )
        given["search"] = {name: Range(**each) for name, each in content.get("search", {}).items()}
        given["trials_made"] = tuple(content.get("trials_made", ()))
        given["pruning_steps"] = _all_of(int, content.get("pruning_steps", ()))
        given["pruning_decisions"] = tuple(
            PruningDecision(**each) for each in content.get("pruning_decisions", ())
        )
        given["bindings"] = _all_of(str, content["bindings"])
        given["seeds"] = _all_of(int, content["seeds"])
        if content["metrics"] is not None:
            given["metrics"] = _all_of(str, content["metrics"])
        for name, kind in _KINDS.items():
            if name not in _OPTIONAL or content[name] is not None:
                _of(kind, content[name])
        study = cls(**given)
        _ = study.variants  # Raises an error for an excluded axis that does not exist.
        return study


def _of(kind: type[_Kind], value: Any) -> _Kind:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not of type {kind.__name__}")
    return value


def _all_of(kind: type[_Kind], values: Iterable[Any]) -> tuple[_Kind, ...]:
    return tuple(_of(kind, value) for value in values)


def _section(title: str, bindings: Sequence[str]) -> str:
    # On one line: the rest of a label would be taken for a binding.
    return "\n".join([f"# {' '.join(title.split())}", *bindings, ""]) if bindings else ""
