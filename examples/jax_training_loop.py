"""A jitted training loop in JAX: networks and loss come from the library.

python examples/jax_training_loop.py --out samples.png
"""

import argparse
import functools
import os
import random
from importlib import resources

os.environ["KERAS_BACKEND"] = "jax"  # Before Keras is imported.

import jax
import keras
import numpy as np

from compare_gan.architectures import sndcgan
from compare_gan.layers import BatchNorm
from compare_gan.losses import hinge
from compare_gan.plots.grids import image_grid, save_png

parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--batch_size", type=int, default=64)
parser.add_argument("--ch", type=int, default=16, help="width of both networks")
parser.add_argument("--out", default="samples.png")
args = parser.parse_args()

random.seed(0)  # Keras derives the seeds of initial weights from it.
file = resources.files("compare_gan") / "datasets" / "data" / "fashion_mnist_10k.npz"
images = np.load(str(file))["images"][..., None]
norm = functools.partial(BatchNorm, statistics={"decay": 0.9})  # 0.999 is for longer runs.
generator = sndcgan.Generator(images.shape[1:], ch=args.ch, batch_norm_fn=norm)
discriminator = sndcgan.Discriminator(images.shape[1:], ch=args.ch, spectral_norm=True)
generator.build(((1, 64), None))
discriminator.build(((1, *images.shape[1:]), None))
G, D = generator.trainable_variables, discriminator.trainable_variables
# Moving averages of batch norm and singular vectors of spectral norm.
OTHERS = generator.non_trainable_variables + discriminator.non_trainable_variables
g_optimizer, d_optimizer = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))
g_optimizer.build(G)
d_optimizer.build(D)


def compute_losses(g, d, others, real, z):
    """The losses for these values of the variables, and the new values of OTHERS."""
    values = list(zip(G + D + OTHERS, g + d + others, strict=True))
    with keras.StatelessScope(state_mapping=values) as scope:
        fake = generator((z, None), training=True)
        logits = [discriminator((x, None), training=True)[0] for x in (real, fake)]
        return hinge(*logits), [scope.get_current_value(v) for v in OTHERS]


@jax.jit
def train_step(state, real, key):
    g, d, others, g_slots, d_slots = state
    z = jax.random.normal(key, (len(real), 64))
    d_gradients = jax.grad(lambda d: compute_losses(g, d, others, real, z)[0].d_loss)(d)
    d, d_slots = d_optimizer.stateless_apply(d_slots, d_gradients, d)
    g_gradients = jax.grad(lambda g: compute_losses(g, d, others, real, z)[0].g_loss)(g)
    losses, others = compute_losses(g, d, others, real, z)
    g, g_slots = g_optimizer.stateless_apply(g_slots, g_gradients, g)
    return (g, d, others, g_slots, d_slots), losses


state = [[v.value for v in each] for each in (G, D, OTHERS)]
state += [[v.value for v in optimizer.variables] for optimizer in (g_optimizer, d_optimizer)]
rng = np.random.default_rng(0)
for step in range(1, args.steps + 1):
    real = images[rng.integers(len(images), size=args.batch_size)] / np.float32(255)
    state, losses = train_step(state, real, jax.random.key(step))
    if step % 100 == 0 or step == args.steps:
        print(f"step {step}: D {losses.d_loss:.3f}, G {losses.g_loss:.3f}", flush=True)

for variable, value in zip(G + OTHERS, state[0] + state[2], strict=True):
    variable.assign(value)
sample = jax.jit(lambda z: generator((z, None), training=False))
samples = 255 * sample(jax.random.normal(jax.random.key(0), (64, 64)))
save_png(image_grid(np.asarray(samples).astype(np.uint8), columns=8), args.out)
