"""The head of the page of a run: what it is, its state, and the numbers that matter most."""

from compare_gan.report import run_records
from compare_gan.report.markup import number
from compare_gan.report.run_data import RunData


def lead(run: RunData) -> str:
    """Says in words what was trained on which data, and how far it has come."""
    summary, values = run.summary, {}
    if run.config is not None:
        values = {each.name: each.value.strip("@'\"") for each in run.config.parameters}
    gan = values.get("options.gan_class", "A GAN").rpartition(".")[2]
    if architecture := values.get("options.architecture"):
        gan += f" with {architecture}"
    data = f" on {summary.dataset}" if summary.dataset else ""
    if summary.image_shape:
        height, width, channels = summary.image_shape
        data += f", {width} × {height} pixels {'in colour' if channels == 3 else 'in gray'}"
    if summary.num_classes:
        data += f", {summary.num_classes} classes"
    return f"{gan}{data}. {_state(summary)}"


def _state(summary: run_records.Summary) -> str:
    of_steps = f" of {summary.steps:,}" if summary.steps else ""
    at = f"step {summary.step:,}{of_steps}" if summary.step is not None else "no step yet"
    sentence = {
        "not started": "Training has not begun.",
        "training": f"Training goes on, at {at}.",
        "interrupted": f"Training was interrupted at {at}.",
        "finished": f"Training finished at {at}.",
        "diverged": f"Training diverged at {summary.divergence}.",
    }[summary.state]
    if summary.rollbacks:
        times = "once" if summary.rollbacks == 1 else f"{summary.rollbacks} times"
        sentence += f" It went back to a checkpoint {times} after a divergence."
    return sentence


def headline(run: RunData) -> dict[str, object]:
    """The most important scores and numbers, by name."""
    summary = run.summary
    facts: dict[str, object] = {}
    if run.scores is not None:
        row = run.scores.headline
        suffix = "" if run.scores.is_final else f" (step {row.step:,})" if row.step else ""
        for name in row.score_names[:4]:
            facts[f"{name}{suffix}"] = number(row.scores[name].mean)
    facts["State"] = summary.state
    if summary.step is not None:
        facts["Step"] = f"{summary.step:,}" + (f" of {summary.steps:,}" if summary.steps else "")
    if summary.images_seen is not None:
        facts["Images seen"] = f"{summary.images_seen:,}"
    if summary.images_per_second is not None:
        facts["Images per second"] = number(summary.images_per_second, 3)
    return facts
