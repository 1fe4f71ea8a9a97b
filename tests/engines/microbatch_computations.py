"""Steps with microbatches and rematerialized blocks on the current backend: it prints differences.

`python microbatch_computations.py` with KERAS_BACKEND set; `test_microbatches.py` starts it.
"""

import contextlib
import pathlib
import sys

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
ModularGAN.penalties = [@r1(), @wgangp_penalty]
ModularGAN.augmentations = [@diff_augment()]
ModularGAN.g_use_ema = True
ModularGAN.ema_start_step = 0
ModularGAN.ema_decay = 0.5
ModularGAN.g_optimizer_fn = @tf.train.GradientDescentOptimizer
ModularGAN.g_lr = 0.5
diff_augment.policy = "color,translation,cutout"
r1.interval = 2
"""
WITHOUT_NORM = "G.batch_norm_fn = None\nG.spectral_norm = True\n"


def state_after(architecture, config, start=None, microbatches=1, remat=False, steps=2, **loop):
    """The values of all variables after some steps, and of the steps, by name."""
    state = computations.make_state(architecture, config)
    if start is not None:
        for variable, value in zip(state.all_variables(), start, strict=True):
            variable.assign(value)
    start = [variable.numpy() for variable in state.all_variables()]
    context = backend.rematerialization if remat else contextlib.nullcontext
    step = TrainStep(state, microbatches)
    made = engine.Loop(step, lambda *_: None, context=context, **loop)
    batches = computations.batches(state.gan.image_shape)
    elements = [next(batches) for _ in range(steps)]
    made.iterator = iter(elements)
    if not ON_JAX:
        import tensorflow as tf

        stacked = {name: np.stack([e[name] for e in elements]) for name in elements[0]}
        made.iterator = iter(tf.data.Dataset.from_tensor_slices(stacked))
    history = made.run(steps)
    found = {name: np.asarray(v.numpy(), float) for name, v in state.variables().items()}
    found |= {f"value/{name}": course for name, course in history.items()}
    kernels = [i for i, v in enumerate(state.all_variables()) if v.name == "kernel"]
    # The steps change the weights by much more than the tolerance.
    after = [variable.numpy() for variable in state.all_variables()]
    changes = [np.abs(after[i] - start[i]).max() for i in kernels]
    assert max(changes) > 1e-4, changes
    return found, start


def difference(found, expected):
    assert found.keys() == expected.keys()
    return max(
        (float(np.abs(found[n] - v).max() / max(1.0, np.abs(v).max())), n)
        for n, v in expected.items()
    )


if __name__ == "__main__":
    config = ALIKE + WITHOUT_NORM
    whole, start = state_after("dummy_arch", config)
    for parts in (2,) if ON_JAX else (2, 4):
        found, _ = state_after("dummy_arch", config, start, microbatches=parts)
        print("microbatches", parts, *difference(found, whole))
    if ON_JAX:
        # As on accelerators: one part is compiled and repeated.
        sys.modules["compare_gan.engine.jax.update"]._loops_over_parts = lambda: True
        found, _ = state_after("dummy_arch", config, start, microbatches=2)
        print("microbatches", "loop", *difference(found, whole))
    # A lazy R1 has both that matters: a conditional, and a gradient that is differentiated again.
    remat_cases = {1: ALIKE + "ModularGAN.penalties = [@r1()]\n"}
    if not ON_JAX:  # Inside of microbatches too; the penalty would only take time again.
        remat_cases[2] = ALIKE + "ModularGAN.penalties = []\n"
    for parts, config in remat_cases.items():
        expected, start = state_after("resnet5_arch", config, microbatches=parts)
        found, _ = state_after("resnet5_arch", config, start, microbatches=parts, remat=True)
        print("remat", parts, *difference(found, expected))
