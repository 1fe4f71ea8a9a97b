"""Charts of the courses of a run: losses, accuracies, monitors, scores over the steps."""

from collections.abc import Callable, Iterable, Sequence

from compare_gan.evaluation.results import ResultRow
from compare_gan.report.charts import Chart, Line, lines
from compare_gan.report.markup import Block, number
from compare_gan.report.page import Group, Side
from compare_gan.report.run_records import Courses

_XLABEL = "generator step"
TOTALS = ("loss/discriminator", "loss/generator")
_ADVERSARIAL = ("loss/d_loss", "loss/d_loss_real", "loss/d_loss_fake", "loss/g_loss")
_RATES = "learning_rate/"
# Monitors that repeat values of the log.
_REPEATED = ("gradient_norm/", "accuracy/")


def curve_groups(courses: Courses) -> Iterable[Block | str]:
    """The charts of what a training logs: one for each kind of value."""
    names = [name for name in courses.values if _varies_or_matters(courses, name)]
    losses = [name for name in names if name.startswith("loss/")]
    other = [name for name in losses if name not in (*TOTALS, *_ADVERSARIAL)]
    groups: list[tuple[str, Callable[[str], bool]]] = [
        ("Total losses", lambda name: name in TOTALS),
        ("Adversarial losses", lambda name: name in _ADVERSARIAL),
        ("Penalties and tasks", lambda name: name in other),
        ("Accuracies of tasks", lambda name: name.startswith("accuracy/")),
        ("Gradient norms", lambda name: name.startswith("gradient_norm/")),
        ("Learning rates", lambda name: name.startswith(_RATES)),
        ("Mean of generated images", lambda name: name == "fake_image_mean"),
        ("Images per second", lambda name: name == "images_per_second"),
    ]
    charts = []
    for title, belongs in groups:
        chosen = list(filter(belongs, names))
        if chosen:
            charts.append(_chart(title, courses, chosen))
    rest = [name for name in names if not any(belongs(name) for _, belongs in groups)]
    charts += [_chart(_in_words(name), courses, [name]) for name in rest]
    if charts:
        yield Side(charts)
    constant = [
        f"{first:.4g} ({_short(name)})"
        for name, values in courses.values.items()
        if name.startswith(_RATES) and name not in names and (first := values[-1]) is not None
    ]
    if constant:
        yield f"Constant learning rates: {', '.join(constant)}."


def monitor_charts(courses: Courses) -> Iterable[Block | str]:
    """The charts of monitors that the log does not show."""
    groups: dict[str, list[str]] = {}
    for name in courses.values:
        if not name.startswith(_REPEATED):
            prefix = name.partition("/")[0].removesuffix("_real")
            groups.setdefault(prefix, []).append(name)
    charts, constant = [], []
    for prefix, names in groups.items():
        values = {value for name in names for value in courses.values[name] if value is not None}
        if len(values) == 1:
            constant.append(f"{_in_words(prefix)}: {number(values.pop())} at every sample grid.")
        elif values:
            charts.append(_chart(_in_words(prefix), courses, names))
    if charts or constant:
        yield Group("Monitors", [*([Side(charts)] if charts else []), " ".join(constant)])


def score_charts(rows: Sequence[ResultRow]) -> Iterable[Block | str]:
    """The charts of scores over the steps; none of a single step."""
    scored = [row for row in rows if row.step is not None]
    if len({row.step for row in scored}) < 2:
        return
    names = dict.fromkeys(name for row in scored for name in row.score_names)
    yield Side([lines(name, [score_line(name, scored, name)], xlabel=_XLABEL) for name in names])


def score_line(name: str, rows: Iterable[ResultRow], score: str) -> Line:
    """The curve of a score over the steps; of several rows of a step with it, the last counts."""
    by_step = {row.step: row.scores[score].mean for row in rows if score in row.scores}
    steps = sorted(step for step in by_step if step is not None)
    return Line(name, steps, [by_step[step] for step in steps])


def _chart(title: str, courses: Courses, names: Sequence[str]) -> Chart:
    series = [Line(_short(name), courses.steps, courses.values[name]) for name in names]
    return lines(title, series, xlabel=_XLABEL)


def _varies_or_matters(courses: Courses, name: str) -> bool:
    """Whether a course is worth a curve: not if it is always 0, or a constant learning rate."""
    values = {value for value in courses.values[name] if value is not None}
    return bool(values - {0.0}) and not (name.startswith(_RATES) and len(values) == 1)


def _short(name: str) -> str:
    return name.partition("/")[2] or name


def _in_words(name: str) -> str:
    return name.replace("_", " ").replace("/", ", ").capitalize()
