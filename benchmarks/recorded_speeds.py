"""Speeds of training steps that were recorded on kinds of CPU, and what is slower than they are.

The cost of a step is the number of GFLOP of matrix products that take as long as the step: its
seconds, multiplied by the rate of products that are measured right after it. Other load on the
machine, and the clock of the CPU, change both; so costs can be compared where seconds cannot, but
only on one kind of CPU.

`recorded_speeds.json` has, for each kind of CPU, the quartiles of the cost and of the seconds for
each config. `train_step.py --record` writes it and the table in `README.md` that is made of it.
"""

import datetime
import importlib.metadata
import json
import pathlib
import statistics
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import click

from compare_gan import files
from compare_gan.startup import cpu_name

PATH = pathlib.Path(__file__).with_name("recorded_speeds.json")
README = pathlib.Path(__file__).with_name("README.md")
_BEGIN, _END = "<!-- recorded speeds: begin -->", "<!-- recorded speeds: end -->"
# More than this is slower: costs at quiet times differ by some percent from run to run.
TOLERANCE = 0.1

# By kind of CPU: `versions`, a string, and `configs`, for each of them the quartiles of its `cost`
# in GFLOP of matrix products and of its `seconds`.
Recorded = dict[str, dict[str, Any]]
# Function from the name of a config to the seconds of steps, and the rate of products beside each.
Measure = Callable[[str], tuple[Sequence[float], Sequence[float]]]


class Change(NamedTuple):
    """The cost of a config now, divided by the recorded median.

    Attributes:
      config: Name of the config.
      low: Lower quartile.
      median: Median.
      high: Upper quartile.
    """

    config: str
    low: float
    median: float
    high: float

    @property
    def slower(self) -> bool:
        """Whether steps became slower by more than the tolerance, and not by their spread alone."""
        return self.median > 1 + TOLERANCE and self.low > 1

    @property
    def faster(self) -> bool:
        """Whether steps became faster by more than the tolerance, likewise."""
        return self.median < 1 / (1 + TOLERANCE) and self.high < 1


def kind_of_cpu(threads: int, cpu_time: bool = False) -> str:
    """The key of this machine: the name of the CPU's model and how many threads are measured.

    Args:
      threads: Number of threads of a computation.
      cpu_time: Whether CPU time on one thread is measured, not time.
    """
    if cpu_time:
        return f"{cpu_name()}, CPU time of one thread"
    return f"{cpu_name()}, {threads} thread{'s' if threads > 1 else ''}"


def load(path: pathlib.Path = PATH) -> Recorded:
    """The recorded speeds by kind of CPU; none if the file does not exist."""
    return json.loads(path.read_text()) if path.exists() else {}


def costs(seconds: Sequence[float], rates: Sequence[float]) -> list[float]:
    """The costs of steps, in GFLOP of matrix products.

    Args:
      seconds: Seconds of each step.
      rates: Rate of matrix products beside each, in GFLOP/s.
    """
    return [s * rate for s, rate in zip(seconds, rates, strict=True)]


def record(
    kind: str,
    configs: Iterable[str],
    measure: Measure,
    path: pathlib.Path = PATH,
    readme: pathlib.Path = README,
) -> None:
    """Writes the speeds of configs, one by one; those of other kinds of CPU and configs stay.

    Args:
      kind: See `kind_of_cpu`.
      configs: Names of configs.
      measure: Function from the name of a config to seconds and rates, see `costs`.
      path: The file of speeds.
      readme: The text with the table.
    """
    versions = _versions()  # Before a written record makes the checkout differ from its commit.
    for config in configs:
        seconds, rates = measure(config)
        recorded = load(path)
        own = recorded.setdefault(kind, {"configs": {}})
        own["versions"] = versions
        own["configs"][config] = {
            "cost": _rounded_quartiles(costs(seconds, rates)),
            "seconds": _rounded_quartiles(seconds),
        }
        files.write_text(str(path), json.dumps(recorded, indent=1, sort_keys=True) + "\n")
        files.write_text(str(readme), with_table(readme.read_text(), recorded))
        click.echo(f"{config}: {_cell(own['configs'][config])}, recorded for '{kind}'")


def check(kind: str, configs: Iterable[str], measure: Measure, path: pathlib.Path = PATH) -> None:
    """Prints the change of each config since its speed was recorded on this kind of CPU.

    Args:
      kind: See `kind_of_cpu`.
      configs: Names of configs; none = all that are recorded.
      measure: See `record`.
      path: The file of speeds.

    Raises:
      ClickException: Some became slower, or the speed of one of them is not recorded for this kind
        of CPU.
    """
    recorded, configs, slower = load(path), list(configs), []
    if kind not in recorded:
        others = f", only for {', '.join(map(repr, recorded))}" if recorded else ""
        raise click.ClickException(
            f"No speed is recorded for '{kind}'{others}: --record writes those of this machine."
        )
    known = recorded[kind]["configs"]
    if unknown := [config for config in configs if config not in known]:
        raise click.ClickException(
            f"No speed of {', '.join(unknown)} is recorded for '{kind}', only of "
            f"{', '.join(known)}: --record writes those of this machine."
        )
    for config in configs or known:
        found = change(recorded, kind, config, costs(*measure(config)))
        click.echo(verdict(found))
        if found.slower:
            slower.append(config)
    if slower:
        raise click.ClickException(f"Slower than recorded: {', '.join(slower)}.")


def change(recorded: Recorded, kind: str, config: str, measured: Sequence[float]) -> Change:
    """The costs of a config relative to the recorded median.

    Args:
      recorded: Result of `load`.
      kind: See `kind_of_cpu`.
      config: Name of the config.
      measured: Costs of its steps.
    """
    median = recorded[kind]["configs"][config]["cost"][1]
    return Change(config, *(each / median for each in statistics.quantiles(measured, n=4)))


def verdict(found: Change) -> str:
    """One sentence about a config."""
    ratio = f"{found.median:.2f} ({found.low:.2f}–{found.high:.2f}) of the recorded time"
    if found.slower:
        return f"{found.config}: SLOWER, {ratio}"
    if found.faster:
        return f"{found.config}: faster, {ratio}; --record would write it"
    if found.median > 1 + TOLERANCE:
        return f"{found.config}: unclear, {ratio}; measure more --steps at a quieter time"
    return f"{found.config}: as recorded, {ratio}"


def table(recorded: Recorded) -> str:
    """A Markdown table with a row for each config and a column for each kind of CPU."""
    if not recorded:
        return "No CPU has been recorded yet."
    kinds = sorted(recorded)
    configs = sorted({config for kind in kinds for config in recorded[kind]["configs"]})
    heads = [f"{kind} ({recorded[kind]['versions']})" for kind in kinds]
    lines = ["| config | " + " | ".join(heads) + " |", "|---" * (1 + len(kinds)) + "|"]
    for config in configs:
        cells = [_cell(recorded[kind]["configs"].get(config)) for kind in kinds]
        lines.append(f"| {config} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_table(text: str, recorded: Recorded) -> str:
    """A text, such as that of `README.md`, with the table in its marked place.

    Raises:
      ValueError: The text has no such place.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"There is no place between {_BEGIN} and {_END}.")
    return f"{before}{begin}\n{table(recorded)}\n{end}{after}"


def _cell(speed: Mapping[str, Sequence[float]] | None) -> str:
    if speed is None:
        return ""
    seconds, cost = (
        f"{middle:.3g} ({low:.3g}–{high:.3g})"
        for low, middle, high in (speed["seconds"], speed["cost"])
    )
    return f"{seconds} s, cost {cost}"


def _rounded_quartiles(values: Sequence[float]) -> list[float]:
    return [float(f"{value:.4g}") for value in statistics.quantiles(values, n=4)]


def _versions() -> str:
    """The commit, the day and the version of TensorFlow."""
    command = ["git", "describe", "--always", "--dirty"]
    folder = pathlib.Path(__file__).parent
    commit = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    day = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    tensorflow = importlib.metadata.version("tensorflow")
    return f"{commit.stdout.strip() or 'no commit'}, {day}, TensorFlow {tensorflow}"
