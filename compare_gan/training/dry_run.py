"""`compare_gan train --dry-run`: a description of a run, without running it."""

from collections.abc import Iterable, Iterator

import keras
import numpy as np

from compare_gan import config, engine
from compare_gan.backend import on_cpu
from compare_gan.datasets import Dataset
from compare_gan.datasets.auto_extractor import AUTO
from compare_gan.datasets.labels import to_hard_labels
from compare_gan.datasets.streams import StreamSource
from compare_gan.folders.arrangement import named_counts
from compare_gan.startup import has_bfloat16
from compare_gan.terminal import duration
from compare_gan.training.convolution_forms import ConvolutionForms
from compare_gan.training.estimates import (
    estimate_disk,
    free_bytes,
    operations_per_second,
    step_operations,
    stored_bytes,
)
from compare_gan.training.experiment import Experiment
from compare_gan.training.images_file import ImageChoice
from compare_gan.training.label_use import check_label_use
from compare_gan.training.memory import estimate_memory
from compare_gan.training.preflight import check_before_training
from compare_gan.training.run_dir import RunDir
from compare_gan.training.state import TrainState
from compare_gan.training.trainer import make_strategy

_MANY_CLASSES = 20


def describe(
    experiment: Experiment,
    run: RunDir | None = None,
    evaluated: bool = True,
    allow_config_change: bool = False,
    defaults: bool = False,
) -> str:
    """Checks all that a training checks before it begins, and describes the run.

    Args:
      experiment: The experiment.
      run: The directory of the run; None = none was named.
      evaluated: Whether the training would be followed by an evaluation.
      allow_config_change: See `Trainer`.
      defaults: List the parameters that the config leaves at their defaults too.

    Returns:
      The bindings of the config, and below them a summary: data set, classes, extractor, parameter
      counts of both networks, and the estimated memory, disk space and time.

    Raises:
      UserError, MistakesError: A training would end with the same.
    """
    if run is not None:
        run.refuse_unsuitable(experiment.config_text, allow_config_change)
        experiment = experiment.with_class_order(run.class_order)
        experiment = experiment.with_image_choice(
            ImageChoice(run.training_images, refuses_others=not allow_config_change)
        )
    strategy = make_strategy(experiment.run_config, alone=True)  # Waits for no other host.
    check_before_training(experiment, run, strategy, evaluated)
    if run is not None:
        run.refuse_other_data(experiment.dataset, allow_config_change)
    with engine.announced("Building the networks"):
        gan = experiment.make_gan()
        if run is None or not run.list_checkpoints():
            with experiment.bindings.active():
                check_label_use(gan)
        options = experiment.options
        state = TrainState(gan, 0, options.optimization, options.batch_size)
    counts = {
        "generator": _count(gan.generator_variables),
        "discriminator": _count(gan.discriminator_variables),
    }
    devices = strategy.num_replicas_in_sync
    with engine.announced("Tracing the step"):
        operations = step_operations(gan, experiment.options.batch_size)
        run_config = experiment.run_config
        several_hosts = engine.expects_several_hosts(
            run_config.distribution, run_config.single_core
        )
        forms = ConvolutionForms(run_config, several_hosts, run)
        memory = estimate_memory(experiment, state, forms, devices)
    share = f"{experiment.options.batch_size} images"
    if devices > 1:
        share = (
            f"{experiment.options.batch_size // devices} of {share} on each of {devices} devices"
        )
    if (parts := experiment.run_config.microbatches) > 1:
        share += f" in {parts} microbatches"
    stored = stored_bytes(state)
    dataset = experiment.dataset
    lines = [
        config.operative_text().rstrip() if defaults else _bindings(),
        "",
        f"data set        {dataset.name}, images {'x'.join(map(str, dataset.image_shape))}, "
        f"{dataset.num_train:,} to train on, {dataset.num_classes or 'no'} classes",
        f"classes         {_classes(dataset)}",
        *([f"extractor       {_extractor(experiment)}"] if evaluated else []),
        *(f"{name:<15} {count:,} parameters" for name, count in counts.items()),
        f"devices         {strategy.num_replicas_in_sync}, which share a batch of "
        f"{experiment.options.batch_size}",
        *_precision(experiment),
        *_forms(forms),
        f"memory          about {_mebibytes(memory.device)} for {share}: "
        f"{_mebibytes(memory.variables)} variables and optimizer state, "
        f"{_mebibytes(memory.gradients)} gradients, {_mebibytes(memory.activations)} activations",
        f"process         about {_mebibytes(memory.process)} of this machine's memory",
        f"disk            {_disk(experiment, run, stored)}",
        f"time            {_time(experiment, operations, strategy.num_replicas_in_sync)}",
    ]
    return "\n".join(lines)


def _bindings() -> str:
    """The bindings of the config, each on a line of its own unless it is long."""
    lines = config.config_text().splitlines()
    return "\n".join(line for line in lines if line and not line.startswith("#"))


def _classes(dataset: Dataset) -> str:
    """The number of training images of each class."""
    if not dataset.num_classes:
        return "none"
    if dataset.inferred is not None and dataset.inferred.num_clusters is not None:
        return f"{dataset.num_classes} clusters, which training finds first"
    if isinstance(dataset.source, StreamSource):
        return f"{dataset.num_classes}; not counted, because that would read all images"
    labels = to_hard_labels(dataset.given_labels)
    counts = np.bincount(labels[labels >= 0], minlength=dataset.num_classes)
    names = dataset.class_names or tuple(map(str, range(dataset.num_classes)))
    unlabelled = int((labels < 0).sum())
    rest = f"; {unlabelled:,} without a label" if unlabelled else ""
    if dataset.inferred is not None:
        rest += ", which are inferred first"
    shown = list(zip(names, counts.tolist(), strict=True))
    if len(shown) > _MANY_CLASSES:
        least, most = (choose(shown, key=lambda each: each[1]) for choose in (min, max))
        return (
            f"{len(shown):,}, from {least[1]:,} images ({least[0]}) to {most[1]:,} "
            f"({most[0]}){rest}"
        )
    return named_counts(shown) + rest


def _extractor(experiment: Experiment) -> str:
    extractor = experiment.evaluation.make_extractor(experiment.dataset.name)
    chosen = " (auto)" if experiment.evaluation.extractor == AUTO else ""
    return f"{extractor.name}{chosen}, weights {extractor.weights_hash}"


def _precision(experiment: Experiment) -> Iterator[str]:
    """The precision of the networks where it is not float32, or where another may be faster."""
    if precision := experiment.run_config.mixed_precision:
        yield f"precision       {precision} in the networks, float32 elsewhere"
    elif on_cpu() and has_bfloat16():
        yield (
            "precision       float32; run_config.mixed_precision = 'bfloat16' may be faster, for "
            "which this processor has instructions"
        )


def _forms(forms: ConvolutionForms) -> Iterator[str]:
    """The choices of forms of convolutions, if the training measures them; a line for each."""
    if forms.tuner is None:
        return
    yield f"convolutions    {forms.tuner}"
    for convolution, choice in forms.tuner.choices.items():
        times = ", ".join(f"{name} {1e3 * each:,.1f} ms" for name, each in choice.seconds.items())
        yield f"{'':<15} {convolution}: {choice.form}{times and f' ({times})'}"


def _disk(experiment: Experiment, run: RunDir | None, stored: int) -> str:
    disk = estimate_disk(experiment, stored)
    text = (
        f"about {_size(disk.total)}: {disk.checkpoints} checkpoints of "
        f"{_size(disk.checkpoint)}, {disk.grids} pictures of at most {_size(disk.grid)}"
    )
    if run is None:
        return text
    free = free_bytes(run.path)
    return f"{text}; {_mebibytes(free)} are free" + (", too few" if free < disk.total else "")


def _time(experiment: Experiment, operations: int, devices: int) -> str:
    """The time that the arithmetic takes, at the rate at which one device multiplies matrices."""
    rate = operations_per_second()
    steps = experiment.options.training_steps
    seconds = operations / (rate * devices)
    return (
        f"at least {duration(steps * seconds)} for {steps:,} steps of {operations / 1e9:,.1f} "
        f"billion operations, at the {rate / 1e9:,.0f} billion a second of a product of matrices "
        "here; evaluation not included"
    )


def _count(variables: Iterable[keras.Variable]) -> int:
    return sum(int(np.prod(variable.shape)) for variable in variables)


def _size(count: int) -> str:
    return _mebibytes(count) if count >= 2**20 else f"{count / 2**10:,.0f} KiB"


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.0f} MiB"
