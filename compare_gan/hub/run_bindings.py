"""Bindings of an imported run: facts that a config states, and options that no network shows."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import gin

from compare_gan import config, registry
from compare_gan.config.checks import check_bindings
from compare_gan.datasets import DataOptions, outline
from compare_gan.errors import UserError
from compare_gan.hub.inference import InferredNetworks
from compare_gan.hub.weights_source import WeightsSource
from compare_gan.training.optimization import OptimizationOptions

_log = logging.getLogger(__name__)

HEADS = ("discriminator_rotation/", "discriminator_predictor/", "discriminator_projection/")
# Parameters that images depend on and that neither names nor shapes of variables show.
_NOT_SHOWN = ("eval_z.distribution_fn", "standardize_batch.epsilon")


@dataclasses.dataclass(frozen=True)
class ConfigFacts:
    """Facts about the model that gin files and bindings state; None where they do not."""

    bound: frozenset[str]
    architecture: str | None = None
    gan: str | None = None
    dataset: str | None = None
    image_shape: tuple[int, int, int] | None = None
    num_classes: int | None = None


def config_facts(gin_configs: Sequence[str], gin_bindings: Sequence[str]) -> ConfigFacts:
    """Reads the facts from gin files and bindings; afterwards gin holds no bindings.

    Raises:
      UserError: See `config.parse`; or a value is not allowed.
    """
    config.parse(gin_configs, gin_bindings)
    check_bindings(OptimizationOptions)
    architecture, gan, dataset = (
        bound_value(name) for name in ("options.architecture", "options.gan_class", "dataset.name")
    )
    gan = getattr(gan, "__name__", gan)
    shape, num_classes = _shape_and_classes() if dataset is not None else (None, None)
    bound = frozenset(name for name in _NOT_SHOWN if bound_value(name) is not None)
    # The networks that are compared must not see the bindings of the run.
    gin.clear_config()
    return ConfigFacts(bound, architecture, gan, dataset, shape, num_classes)


def bound_value(parameter: str) -> Any:
    """The value that gin binds to a parameter, macros and references resolved; None without one."""
    configurable, name = parameter.split(".")
    return gin.get_bindings(configurable).get(name)


def _shape_and_classes() -> tuple[tuple[int, int, int] | None, int | None]:
    """Image shape and classes of the config's data set, as far as known without reading it."""
    with config.located("dataset.name"):
        dataset = outline(DataOptions.from_gin(fake=True), need_classes=False)
    if dataset is not None:
        return dataset.image_shape, dataset.num_classes
    side = bound_value("dataset.pad_to") or bound_value("dataset.image_size")
    return (side, side, 3) if side else None, None


def check_classes(stated: ConfigFacts, inferred: InferredNetworks) -> int | None:
    """The number of classes.

    Raises:
      UserError: The weights and the config have different ones.
    """
    shown = inferred.num_classes
    if shown and stated.num_classes not in (None, shown):
        raise UserError(
            f"The weights are for {shown} classes, but '{stated.dataset}' has "
            f"{stated.num_classes or 'none'}."
        )
    return shown or stated.num_classes


def run_bindings(
    source: WeightsSource, inferred: InferredNetworks, stated: ConfigFacts
) -> list[str]:
    """Bindings of the run: the GAN with its heads, and options that no network shows."""
    conditional = inferred.num_classes is not None
    rotation, predictor, projection = (
        any(name.startswith(head) for name in source.shapes) for head in HEADS
    )
    likely = "SSGAN" if rotation else "ModularGAN"
    if predictor or projection or (rotation and conditional):
        likely = "S3GAN"
    gan = stated.gan or likely
    bindings = [
        f"options.gan_class = @{likely}",
        "options.batch_size = 64",
        f"options.training_steps = {max(source.step, 1)}",
        # Under the name of the base class, so that configs can override it under any other.
        f"ModularGAN.conditional = {conditional}",
        f"ModularGAN.g_use_ema = {bool(source.averages)}",
    ]
    if gan == "S3GAN":
        bindings += [
            f"S3GAN.self_supervision = '{'rotation' if rotation else 'none'}'",
            "S3GAN.rotated_batch_fraction = 4",
            f"S3GAN.project_y = {projection}",
            f"S3GAN.use_predictor = {predictor}",
        ]
    if gan == "SSGAN":
        bindings += [
            f"SSGAN.self_supervision = '{'rotation_gan' if rotation else 'none'}'",
            "SSGAN.rotated_batch_size = 16",
        ]
    counter = next((name for name in source.shapes if name.endswith("/accu_counter")), None)
    if counter and source.read(counter) >= 1:
        bindings.append("standing_statistics.keep = True")
    height = inferred.image_shape[0]
    imagenet = f"imagenet_{height}"
    if inferred.num_classes == 1000 and imagenet in registry.names("dataset"):
        bindings.append(f"dataset.name = '{imagenet}'")
    return bindings + _latent_bindings(inferred)


def _latent_bindings(inferred: InferredNetworks) -> list[str]:
    """Bindings of the latents: normal ones for BigGAN's networks, as in 2019, else uniform ones."""
    if not inferred.architecture.startswith("resnet_biggan"):
        return []
    return [f"{scope}.distribution_fn = @tf.random.normal" for scope in ("z", "eval_z")]


def log_assumptions(source: WeightsSource, inferred: InferredNetworks, stated: ConfigFacts) -> None:
    """Logs options that had to be assumed."""
    latents = "normal" if _latent_bindings(inferred) else "uniform"
    values = dict(zip(_NOT_SHOWN, (f"@tf.random.{latents}", "1e-05"), strict=True))
    if source.facts.epsilon is not None:
        del values["standardize_batch.epsilon"]
    assumed = [f"{name} = {value}" for name, value in values.items() if name not in stated.bound]
    if assumed:
        _log.info(
            "The weights do not show everything: as in the configs of 2019, %s.",
            " and ".join(assumed),
        )
    if inferred.other_sizes:
        sizes = ", ".join(str(size) for size in inferred.other_sizes)
        _log.info("The weights would fit images of %s pixels as well; dataset.name decides.", sizes)
