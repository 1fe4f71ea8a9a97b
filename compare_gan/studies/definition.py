"""The definition of a study: axes, seeds and budget, and the runs that they amount to."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from compare_gan.config.bound_values import bound_values
from compare_gan.studies.values import AxisValue, gin_text, safe_name, variant_name

# The default of `dataset.seed`, which the seed of a run is added to.
DATA_SEED = 547
# Parameters that the seed of a run binds, the last one where labels are inferred.
SEED_PARAMETERS = ("run_config.tf_random_seed", "dataset.seed", "infer_labels.seed")


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
        """Number of images that a generator step counts for in logs: the batch size."""
        return self.values.get("options.batch_size", 0)


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


def _section(title: str, bindings: Sequence[str]) -> str:
    return "\n".join([f"# {title}", *bindings, ""]) if bindings else ""
