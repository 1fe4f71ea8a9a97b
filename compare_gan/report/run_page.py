"""The page of a run: sections made of the parts that `run_data` has collected."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from compare_gan.evaluation.results import ResultRow, spread_note
from compare_gan.report import run_config, run_neighbours, run_records
from compare_gan.report.charts import Line, lines
from compare_gan.report.markup import Block, number
from compare_gan.report.page import Code, Details, Facts, Group, Note, Page, Section
from compare_gan.report.provenance_text import provenance_facts
from compare_gan.report.run_curves import curve_groups, monitor_charts, score_charts
from compare_gan.report.run_data import RunData, collect_run
from compare_gan.report.run_head import headline, lead
from compare_gan.report.run_pictures import (
    augmentation_blocks,
    evolution_blocks,
    interpolation_blocks,
    label_blocks,
    neighbour_blocks,
    real_and_fake_blocks,
    sample_blocks,
)
from compare_gan.report.tables import Cell, Table
from compare_gan.training.trainings_file import Training

_Blocks = list[Block | str]
# Titles of the parts, for the list of those that are absent.
_TITLES = {
    "scores": "Scores",
    "config": "Config",
    "courses": "Training",
    "monitoring": "Early warnings",
    "samples": "Samples",
    "real": "Real beside fake",
    "augmentations": "What the discriminator sees",
    "evolution": "Evolution",
    "interpolations": "Interpolations",
    "neighbours": "Nearest training images",
    "prd": "Precision and recall",
    "labels": "Inferred labels",
    "trainings": "Machine and time",
}


def run_page(path: str, allow_imports: Sequence[str] = ()) -> Page:
    """The page of a run.

    Args:
      path: The directory of the run.
      allow_imports: Modules that the config of the run may import; see `RunDir.load`.

    Raises:
      UserError: It is not a run directory, or a newer version of this library wrote it.

    Example:
      >>> from compare_gan.report.run_page import run_page
      >>> run_page("runs/missing")
      Traceback (most recent call last):
      compare_gan.errors.UserError: There is no directory 'runs/missing'.
    """
    return page_of(collect_run(path, allow_imports))


def page_of(run: RunData) -> Page:
    """The page that shows the parts of a run; those that are absent are named at its end."""
    sections = [
        Section("Scores", _blocks(run.scores, _scores)),
        Section("Samples", _blocks(run.samples, sample_blocks)),
        Section("Real beside fake", real_and_fake_blocks(run.real, run.samples)),
        Section("What the discriminator sees", _blocks(run.augmentations, augmentation_blocks)),
        Section("Evolution", _blocks(run.evolution, evolution_blocks)),
        Section("Interpolations", _blocks(run.interpolations, interpolation_blocks)),
        Section("Nearest training images", _blocks(run.neighbours, neighbour_blocks)),
        Section("Precision and recall", _blocks(run.prd, _prd)),
        Section(
            "Training",
            [*_warnings(run.monitoring), *_blocks(run.courses, curve_groups),
             *_blocks(run.monitoring, lambda each: monitor_charts(each.courses))],
        ),
        Section("Inferred labels", _blocks(run.labels, label_blocks)),
        Section("Config", _blocks(run.config, _config)),
        Section("Machine and time", _blocks(run.trainings, _trainings)),
        Section("Not shown", _absent(run.absent)),
    ]  # fmt: skip
    return Page(
        title=run.summary.name,
        sections=sections,
        kind="Run",
        lead=lead(run),
        facts=headline(run),
    )


def _blocks(part: object, make: Callable[..., Iterable[Block | str]]) -> _Blocks:
    return [] if part is None else list(make(part))


def _scores(scores: run_records.Scores) -> Iterable[Block | str]:
    row = scores.headline
    step = "images from elsewhere" if row.step is None else f"step {row.step:,}"
    if not scores.is_final:
        yield Note(f"The last training step is not scored: these are the scores of {step}.")
    names, over_sets = row.score_names, len(row.provenance.seeds) > 1
    texts = [row.accompanying_text(name) for name in names]
    columns: dict[str, list[object]] = {
        "score": list(names),
        "mean" if over_sets else "value": [row.scores[name].mean for name in names],
    }
    if over_sets:
        columns["standard deviation"] = [row.scores[name].std for name in names]
    if any(texts):
        columns["for comparison"] = [text or None for text in texts]
    yield Table(
        title=f"Scores of {step}",
        columns=list(columns),
        rows=list(zip(*columns.values(), strict=True)),
        note=spread_note([row]) or "",
    )
    for note in row.notes:
        yield Note(note)
    yield Details("How they were measured", [Facts(provenance_facts(row))])
    yield from score_charts(scores.rows)
    if len(scores.rows) > 1:
        yield Details("All scored checkpoints", [_all_scores(scores.rows)])


def _all_scores(rows: Sequence[ResultRow]) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row.score_names))
    return Table(
        title="Scores of all scored checkpoints",
        columns=["step", *names, "protocol", "config"],
        rows=[
            [
                row.step,
                *(row.scores[name].mean if name in row.scores else None for name in names),
                row.protocol_name,
                row.config,
            ]
            for row in rows
        ],
        note="Rows may be compared only where they were measured alike: `compare_gan compare` "
        "warns where they were not.",
    )


def _prd(prd: run_neighbours.Prd) -> Iterable[Block | str]:
    yield lines(
        "Precision and recall of distributions",
        [Line("PRD", prd.recall.tolist(), prd.precision.tolist())],
        xlabel="recall",
        ylabel="precision",
        shown=(0, 1),
        alt="A curve of precision over recall: the larger the area below it, the better. "
        f"F8 is {number(prd.f8)}, F1/8 is {number(prd.f1_8)}.",
        note=f"F8 (favours recall) {number(prd.f8)}, F1/8 (favours precision) "
        f"{number(prd.f1_8)}; {prd.num_images:,} generated and {prd.num_images:,} training "
        f"images, features of {prd.extractor}. These are too few images for a published score.",
    )


def _warnings(monitoring: run_records.Monitoring | None) -> Iterable[Block | str]:
    if monitoring is None:
        return
    if not monitoring.warnings:
        yield "No early warning was given."
        return
    yield Table(
        title="Early warnings",
        columns=["warning", "seen", "from step", "to step", "often helps"],
        rows=[
            [
                each.monitor,
                each.seen,
                each.since,
                Cell(each.until, f"{each.until:,}{' (last grid)' if each.lasts else ''}"),
                each.advice,
            ]
            for each in monitoring.warnings
        ],
    )


def _config(config: run_config.Config) -> Iterable[Block | str]:
    changed = [each for each in config.parameters if not each.is_default]
    recorded = bool(config.origins)
    if recorded:
        yield f"The bindings come from {_in_words(config.origins)}."
    if config.imports:
        yield f"It imports {_in_words(config.imports)}."
    replaced = [each for each in config.parameters if each.replaced is not None]
    columns = ["parameter", "value", "default", *(["stated in"] if recorded else [])]
    table = Table(
        title="Parameters that differ from their defaults",
        columns=columns,
        rows=[
            [each.name, each.value, each.default, *([each.place] if recorded else [])]
            for each in changed
        ],
        note="A dash stands for a parameter without a default, or of a module that is not known.",
    )
    yield Group("Differences from the defaults", [table])
    if replaced:
        table = Table(
            title="Values that replace others of the same config",
            columns=["parameter", "before", "value", "stated in"],
            rows=[[each.name, each.replaced, each.value, each.place] for each in replaced],
            note="The values before are those of included files and earlier lines.",
        )
        yield Group("Differences from the base", [table])
    defaults = {each.name: each.value for each in config.parameters if each.is_default}
    if defaults:
        yield Details("Parameters that are set to their defaults", [Facts(defaults)])
    if config.unset:
        yield Details("Parameters that are not set, with the defaults used", [Facts(config.unset)])
    yield Details("The config as a gin file", [Code(config.text)])


def _in_words(names: Sequence[str]) -> str:
    shown = ["the command line" if name == "--gin_bindings" else name for name in names]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _trainings(trainings: Sequence[Training]) -> Iterable[Block | str]:
    for i, each in enumerate(trainings):
        steps = f"Steps {each.first_step:,} to {each.last_step:,}"
        blocks: _Blocks = [Facts(_machine(each))]
        if each.seconds:
            blocks.append(_stages(each, steps))
        last = i == len(trainings) - 1
        yield Group(steps, blocks) if last else Details(steps, blocks)


def _machine(training: Training) -> dict[str, object]:
    return {
        "began": training.began,
        "machine": training.host,
        "processor": training.cpu or None,
        "cores": training.cores,
        "accelerators": _counted(training.accelerators) or "none",
        "engine": training.engine,
        "code version": training.code_version,
        "seconds in all": number(training.total_seconds),
    }


def _counted(names: Sequence[str]) -> str:
    return ", ".join(f"{names.count(name)} × {name}" for name in dict.fromkeys(names))


def _stages(training: Training, steps: str) -> Table:
    total = training.total_seconds or sum(training.seconds.values()) or 1.0
    rest = total - sum(training.seconds.values())
    stages = dict(training.seconds) | ({"other": rest} if rest > 0.05 else {})
    return Table(
        title=f"Time of each stage, {steps.lower()}",
        columns=["stage", "seconds", "share"],
        rows=[
            [
                name,
                Cell(value, f"{value:,.1f}"),
                Cell(value / total, f"{100 * value / total:.1f} %"),
            ]
            for name, value in stages.items()
        ],
    )


def _absent(absent: Mapping[str, str]) -> _Blocks:
    """A sentence for each reason, with all the parts that it is the reason for."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in absent.items():
        by_reason.setdefault(reason, []).append(_TITLES[name])
    return [f"{', '.join(titles)}: {reason}" for reason, titles in by_reason.items()]
