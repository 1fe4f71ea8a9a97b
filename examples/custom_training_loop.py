"""A custom training loop: networks, loss and gradient penalty come from the library.

python examples/custom_training_loop.py --out samples.png
"""

import argparse
import functools

import keras
import tensorflow as tf

from compare_gan.architectures import sndcgan
from compare_gan.datasets import as_arrays, get_dataset
from compare_gan.layers import BatchNorm
from compare_gan.losses import non_saturating
from compare_gan.penalties import wgangp_penalty
from compare_gan.plots.grids import image_grid, save_png

parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
parser.add_argument("--steps", type=int, default=2000)
parser.add_argument("--batch_size", type=int, default=64)
parser.add_argument("--ch", type=int, default=16, help="width of both networks")
parser.add_argument("--out", default="samples.png")
args = parser.parse_args()

keras.utils.set_random_seed(0)
images, _ = as_arrays(get_dataset("fashion_mnist_10k"))
data = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images)).repeat()
data = data.batch(args.batch_size).map(lambda x: tf.cast(x, tf.float32) / 255)

norm = functools.partial(BatchNorm, statistics={"decay": 0.9})  # 0.999 is for longer runs.
generator = sndcgan.Generator(images.shape[1:], ch=args.ch, batch_norm_fn=norm)
discriminator = sndcgan.Discriminator(images.shape[1:], ch=args.ch)
g_optimizer, d_optimizer = (keras.optimizers.Adam(2e-4, beta_1=0.5) for _ in range(2))


def update(network, optimizer, loss, tape):
    variables = network.trainable_variables
    optimizer.apply(tape.gradient(loss, variables), variables)


@tf.function(autograph=False)
def train_step(real):
    z = tf.random.normal([args.batch_size, 64])
    with tf.GradientTape(persistent=True) as tape:
        fake = generator((z, None), training=True)
        losses = non_saturating(*(discriminator((x, None), training=True)[0] for x in (real, fake)))
        penalty = wgangp_penalty(lambda x: discriminator((x, None), training=True)[0], real, fake)
        d_loss = losses.d_loss + 10 * penalty
    update(discriminator, d_optimizer, d_loss, tape)
    update(generator, g_optimizer, losses.g_loss, tape)
    return d_loss, losses.g_loss


for step, batch in enumerate(data.take(args.steps), start=1):
    d_loss, g_loss = train_step(batch)
    if step % 100 == 0 or step == args.steps:
        print(f"step {step}: D {d_loss:.3f}, G {g_loss:.3f}", flush=True)
samples = generator((tf.random.normal([64, 64], seed=1), None), training=False)
save_png(image_grid(tf.cast(255 * samples, tf.uint8).numpy(), columns=8), args.out)
