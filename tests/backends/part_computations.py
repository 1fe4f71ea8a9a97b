"""Losses and gradients of tiny GANs with every part, under the Keras backend of the environment.

`python part_computations.py OUT.npz` writes one array per key, `kind/name/…`. Weights and inputs
follow from names, as in `computations.py`.
"""

import functools
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "helpers"))

import keras
import numpy as np
import tiny_gans
from computations import fill, gradients, numbers, run, to_numpy
from keras import ops

from compare_gan import registry
from compare_gan.schedules import CosineDecay, ExponentialDecay

_SHAPE = (8, 8, 1)


def compute_part(name: str) -> dict:
    """Both losses with a part of a GAN, their terms and gradients, before any update."""
    gan = tiny_gans.make_gan(tiny_gans.networks("dummy_arch"), **tiny_gans.options_of(name))
    fill(gan.generator, gan.discriminator, *gan.heads.values())
    for penalty in gan.penalties:
        if hasattr(penalty, "sigma"):  # Small noise makes squared differences of few digits.
            penalty.sigma = 1.0
    batch = {key: value[0] for key, value in tiny_gans.make_batch(_SHAPE).items()}
    batch["images"] = numbers("images", (tiny_gans.BATCH, *_SHAPE), 0)

    def discriminator_loss():
        optimized = gan.optimized(batch, step=1)
        return gan.discriminator_loss(optimized, gan.fakes(optimized), step=1)

    def generator_loss():
        return gan.generator_loss(gan.optimized(batch, step=1), step=1)

    def values():
        found = {}
        for side, loss, variables in (
            ("d", discriminator_loss, gan.discriminator_variables),
            ("g", generator_loss, gan.generator_variables),
        ):
            terms = loss()
            found |= {f"{side}/total": terms.total}
            found |= {f"{side}/{key}": value for key, value in terms.parts.items()}
            slopes = gradients(lambda loss=loss: loss().total, variables)
            found |= {f"{side}/{key}": value for key, value in slopes.items()}
        return found

    return run(values)


def compute_schedule(name: str) -> dict:
    made = {
        "cosine_decay": CosineDecay(0.9, 0.1, steps=10),
        "exponential_decay": ExponentialDecay(0.9, 0.1, rate=0.5, steps=4, staircase=True),
    }[name]
    return {str(step): run(made, ops.convert_to_tensor(step)) for step in (0, 3, 5, 20)}


def compute_optimizer(name: str) -> dict:
    """A variable after three updates."""
    weight = keras.Variable(numbers("weight", (5, 3)), name="weight")
    optimizer = registry.get("optimizer", name)(0.01)
    optimizer.build([weight])
    found = {}
    for step in range(3):
        optimizer.apply([ops.convert_to_tensor(numbers(f"gradient{step}", (5, 3)))], [weight])
        found[f"after_{step}"] = np.array(to_numpy(weight.value))
    return found


def compute_average(name: str) -> dict:
    """The share of the current weights at some steps."""
    from compare_gan.training.averages import Decay, HalfLife, Power

    rule = {
        "decay": Decay(CosineDecay(0.9, 0.1, steps=10)),
        "half_life": HalfLife(500, batch_size=64, rampup=0.05),
        "power": Power(0.1),
    }[name]
    return {str(step): run(rule.share, ops.convert_to_tensor(step)) for step in (0, 1, 50, 5000)}


def compute_refinement(name: str) -> dict:
    """Latents refined by the discriminator of a tiny GAN."""
    from compare_gan.sampling import Sampler

    gan = tiny_gans.make_gan(tiny_gans.networks("dummy_arch"))
    fill(gan.generator, gan.discriminator)
    options = {
        "drs": {"burn_in": 64},
        "ddls": {"steps": 20},
        "metropolis_hastings": {"steps": 20, "slope": 1.0},
    }
    sampler = Sampler(
        gan.generator,
        z_dim=tiny_gans.Z_DIM,
        image_shape=_SHAPE,
        num_classes=tiny_gans.NUM_CLASSES,
        logits=gan.logits,
        refinement=registry.get("refinement", name)(**options[name]),
    )
    labels = np.arange(16) % tiny_gans.NUM_CLASSES
    return {"latents": sampler.draw_latents(16, seed=0, labels=labels)}


def computations() -> dict:
    """For each part, as `kind/name`, the function that computes its values."""
    computed = {"schedule": (compute_schedule, registry.names("schedule"))}
    if keras.backend.backend() != "torch":  # It neither trains nor samples.
        computed |= {
            "optimizer": (compute_optimizer, registry.names("optimizer")),
            "average": (compute_average, ("decay", "half_life", "power")),
            "refinement": (compute_refinement, registry.names("refinement")),
        }
    found = {name: functools.partial(compute_part, name) for name in tiny_gans.part_names()}
    for kind, (compute, names) in computed.items():
        found |= {f"{kind}/{name}": functools.partial(compute, name) for name in names}
    return found


def compute() -> dict[str, np.ndarray]:
    """All arrays by key."""
    computed = {}
    for part, compute_one in computations().items():
        began = time.perf_counter()
        for key, value in compute_one().items():
            computed[f"{part}/{key}"] = to_numpy(value)
        print(f"{part}: {time.perf_counter() - began:.1f} s", flush=True)
    return computed


if __name__ == "__main__":
    np.savez(sys.argv[1], **compute())
