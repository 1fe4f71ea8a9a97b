"""`compare_gan import-weights`: from a checkpoint or hub module of 2019 to a run directory."""

import dataclasses
import logging
import os
from collections.abc import Mapping, Sequence

import keras

from compare_gan import config, files
from compare_gan.engine.checkpoints import Checkpoints
from compare_gan.errors import UserError
from compare_gan.gans import ModularGAN
from compare_gan.hub.inference import infer
from compare_gan.hub.run_bindings import (
    HEADS,
    bound_value,
    check_classes,
    config_facts,
    log_assumptions,
    run_bindings,
)
from compare_gan.hub.weights_source import EMA, WeightsSource, open_source
from compare_gan.training.optimization import OptimizationOptions
from compare_gan.training.run_dir import RunDir
from compare_gan.training.run_options import Options
from compare_gan.training.state import TrainState

_log = logging.getLogger(__name__)

# Number of variables of a kind that an error message names; the log lists all of them.
_IN_SENTENCE = 3


@dataclasses.dataclass(frozen=True)
class _Data:
    """Known properties of the data that the model was trained on, as in `datasets.Dataset`."""

    name: str | None
    image_shape: tuple[int, int, int]
    num_classes: int | None
    class_names: tuple[str, ...] | None = None
    num_train: int | None = None
    background: str | None = None


def import_weights(
    path: str,
    model_dir: str,
    gin_configs: Sequence[str] = (),
    gin_bindings: Sequence[str] = (),
) -> str:
    """Writes a run directory from the weights of a model of the 2019 library.

    Options that neither the variables nor a saved graph show get the values of the 2019 library's
    configs; gin files and bindings win over everything that is inferred. Afterwards gin holds the
    bindings of the model.

    Args:
      path: TensorFlow 1 checkpoint or TF-Hub module; see `weights_source.open_source`.
      model_dir: Directory to create, for `compare_gan sample`, `eval` and `export`.
      gin_configs: Config that the model was trained with, if there is one. Neither data nor label
        files that it names are read.
      gin_bindings: Additional bindings.

    Returns:
      One line that describes the model.

    Raises:
      UserError: `model_dir` is not empty; the source cannot be read; or its variables are not
        those of the networks, by name or by shape. The message names the first of them and the log
        lists all. Nothing is written then.

    Example:
      >>> from compare_gan.hub import import_weights
      >>> import_weights("old_run/model.ckpt-200000", "runs/imported")  # doctest: +SKIP
      'ModularGAN of resnet_cifar_arch, 32x32x3, no classes, step 200000, 71 variables'
    """
    if os.path.exists(model_dir) and not (os.path.isdir(model_dir) and not os.listdir(model_dir)):
        raise UserError(f"'{model_dir}' is not an empty directory: choose another --model_dir.")
    target = os.path.realpath(model_dir)
    with files.atomic(target) as staging:  # Leaves nothing behind if the source does not fit.
        os.mkdir(staging)
        with open_source(path) as source:
            stated = config_facts(gin_configs, gin_bindings)
            inferred = infer(
                source.shapes,
                source.facts,
                stated.architecture,
                stated.image_shape,
                stated.num_classes,
            )
            num_classes = check_classes(stated, inferred)
            inferred_config = os.path.join(staging, "inferred.gin")
            with open(inferred_config, "w", encoding="utf-8") as file:
                bindings = [*inferred.bindings, *run_bindings(source, inferred, stated)]
                file.write("\n".join(bindings))
            config.parse([inferred_config, *gin_configs], gin_bindings)
            os.remove(inferred_config)
            data = _Data(bound_value("dataset.name"), inferred.image_shape, num_classes)
            summary = _build_and_write(source, RunDir(staging), data)
    log_assumptions(source, inferred, stated)
    return summary


def _build_and_write(source: WeightsSource, run: RunDir, data: _Data) -> str:
    options = Options.from_gin()
    gan = options.make_gan(data.image_shape, data.num_classes)
    targets = _targets(gan)
    _check(source, targets, gan, options)
    for name, variable in targets.items():
        if name in source.shapes:
            variable.assign(source.read(name))
    # The averages are initialized with the weights.
    state = TrainState(gan, 0, options.optimization, options.batch_size)
    for average, variable in zip(state.ema, gan.generator_variables, strict=False):
        if _name(variable) in source.averages:
            average.assign(source.read(_name(variable) + EMA))
    state.step.assign(source.step)
    run.write_description(data, config.config_text())
    checkpoints = Checkpoints(state, run.checkpoints)
    checkpoints.save()
    checkpoints.wait()
    height, width, channels = data.image_shape
    return (
        f"{type(gan).__name__} of {options.architecture}, {height}x{width}x{channels}, "
        f"{gan.num_classes if gan.conditional else 'no'} classes, step {source.step}, "
        f"{len(source.shapes)} variables" + (", averaged weights" if state.ema else "")
    )


def _name(variable: keras.Variable) -> str:
    """The name of a variable in the 2019 library."""
    return variable.path.replace("/u_var", "/kernel/u_var")


def _targets(gan: ModularGAN) -> dict[str, keras.Variable]:
    """The variables of both networks and all heads, by their names of 2019."""
    parts = (gan.generator, gan.discriminator, *gan.heads.values())
    return {_name(variable): variable for part in parts for variable in part.variables}


def _check(
    source: WeightsSource,
    targets: Mapping[str, keras.Variable],
    gan: ModularGAN,
    options: Options,
) -> None:
    """Raises UserError unless the source has the variables of the model, in the same shapes."""
    wanted = {name: tuple(variable.shape) for name, variable in targets.items()}
    found = dict(source.shapes)
    if source.averages and OptimizationOptions.of(gan).g_use_ema:
        wanted |= {_name(v) + EMA: tuple(v.shape) for v in gan.generator_variables}
        found |= {name + EMA: shape for name, shape in source.averages.items()}
    missing = [name for name in wanted if name not in found]
    for part, scopes in (
        ("discriminator", ("discriminator/",)),
        ("heads of the discriminator", HEADS),
    ):
        absent = [name for name in wanted if name.startswith(scopes)]
        if absent and not any(name.startswith(scopes) for name in found):
            _log.warning("The source contains no %s: it stays as initialized.", part)
            missing = [name for name in missing if name not in absent]
    faults = {
        "unknown": [name for name in found if name not in wanted],
        "missing": missing,
        "of another shape": [
            f"{name} {list(shape)} instead of {list(wanted[name])}"
            for name, shape in found.items()
            if name in wanted and shape != wanted[name]
        ],
    }
    faults = {kind: names for kind, names in faults.items() if names}
    if faults:
        for kind, names in faults.items():
            if len(names) > _IN_SENTENCE:
                _log.error("%d variables %s:\n  %s", len(names), kind, "\n  ".join(names))
        height, width = gan.image_shape[:2]
        raise UserError(
            f"'{source.prefix}' does not fit {options.architecture} at {height}x{width}: "
            + "; ".join(f"{_some(names)} {kind}" for kind, names in faults.items())
            + "."
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_IN_SENTENCE]) + (", …" if len(names) > _IN_SENTENCE else "")
    return f"{len(names)} variable{'s' if len(names) > 1 else ''} ({shown})"
