"""Steps with microbatches and rematerialized blocks on the current backend, and how they differ.

`python microbatch_computations.py` with KERAS_BACKEND set prints `compute()` as JSON.
"""

import contextlib
import json
import pathlib
import sys
from collections.abc import Iterator

import keras
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import engine_computations as computations

from compare_gan import backend, engine
from compare_gan.training.step import TrainStep

ON_JAX = keras.backend.backend() == "jax"
# Without a part that compares the examples of a batch: every kind of draw, and state of all kinds.
ALIKE = """
options.gan_class = @ModularGAN
ModularGAN.loss = @hinge
ModularGAN.penalties = [@r1(), @r2(), @wgangp_penalty]
ModularGAN.augmentations = [@diff_augment()]
ModularGAN.g_use_ema = True
ModularGAN.ema_start_step = 0
ModularGAN.ema_decay = 0.5
ModularGAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer
ModularGAN.g_lr = 0.5
diff_augment.policy = "color,translation,cutout"
r1.interval = 2
"""
# Averages that include the current mean, which is that of a part here.
SIMILAR = (
    ALIKE
    + """
ModularGAN.penalties = [@lecam(), @path_length()]
lecam.start_step = 0
path_length.interval = 1
"""
)
WITHOUT_NORM = "G.batch_norm_fn = None\nG.spectral_norm = True\n"


STEPS, BATCH = 2, 6


def make_state(architecture, config):
    """A state, and the values of its variables."""
    state = computations.make_state(architecture, config)
    return state, [variable.numpy() for variable in state.all_variables()]


def values_after(state, start, microbatches=1, remat=False):
    """The values of all variables after two steps from these, and of the steps, by name."""
    for variable, value in zip(state.all_variables(), start, strict=True):
        variable.assign(value)
    context = backend.rematerialization if remat else contextlib.nullcontext
    made = engine.Loop(TrainStep(state, microbatches), lambda *_: None, context=context)
    batches = computations.batches(state.gan.image_shape, size=BATCH)
    elements = [next(batches) for _ in range(STEPS)]
    made.iterator = iter(elements)
    if not ON_JAX:
        import tensorflow as tf

        stacked = {name: np.stack([e[name] for e in elements]) for name in elements[0]}
        made.iterator = iter(tf.data.Dataset.from_tensor_slices(stacked))
    history = made.run(STEPS)
    found = {name: np.asarray(v.numpy(), float) for name, v in state.variables().items()}
    found |= {f"value/{name}": course for name, course in history.items()}
    # The steps change the weights by much more than the tolerance.
    changes = [
        np.abs(variable.numpy() - before).max()
        for variable, before in zip(state.all_variables(), start, strict=True)
        if variable.name == "kernel"
    ]
    assert max(changes) > 1e-4, changes
    return found


def difference(found, expected):
    """The largest difference, relative if it is above 1, and its name."""
    assert found.keys() == expected.keys()
    return max(
        (float(np.abs(found[n] - v).max() / max(1.0, np.abs(v).max())), n)
        for n, v in expected.items()
    )


def compute() -> Iterator[tuple[str, int | str, float, str]]:
    """An option, its value, the largest difference from a step without it, and where that is."""
    made = make_state("dummy_arch", ALIKE + WITHOUT_NORM)
    whole = values_after(*made)
    for parts in (2,) if ON_JAX else (3,):
        yield "microbatches", parts, *difference(values_after(*made, parts), whole)
    if ON_JAX:
        # As on accelerators: one part is compiled and repeated.
        sys.modules["compare_gan.engine.jax.update"]._loops_over_parts = lambda: True
        yield "microbatches", "loop", *difference(values_after(*made, 3), whole)
    if not ON_JAX:
        made = make_state("dummy_arch", SIMILAR + WITHOUT_NORM)
        yield "averages", 3, *difference(values_after(*made, 3), values_after(*made))
    # A lazy R1 has both that matters: a conditional, and a gradient that is differentiated again.
    # R2 shares the forward of the loss.
    remat_cases = {1: ALIKE + "ModularGAN.penalties = [@r1(), @r2()]\n"}
    if not ON_JAX:  # Inside of microbatches too; the penalty would only take time again.
        remat_cases[2] = ALIKE + "ModularGAN.penalties = []\n"
    for parts, config in remat_cases.items():
        made = make_state("resnet_cifar_arch", config)
        expected = values_after(*made, parts)
        yield "remat", parts, *difference(values_after(*made, parts, remat=True), expected)


if __name__ == "__main__":
    print(json.dumps(list(compute())))
