"""A training loop in PyTorch: networks and loss come from the library.

python examples/torch_training_loop.py --out samples.png
"""

import argparse
import functools
import os
import random
from importlib import resources

os.environ["KERAS_BACKEND"] = "torch"  # Before Keras is imported.

import numpy as np
import torch

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
torch.manual_seed(0)
file = resources.files("compare_gan") / "datasets" / "data" / "fashion_mnist_10k.npz"
images = torch.from_numpy(np.load(str(file))["images"][..., None])  # Channels last, as in Keras.
norm = functools.partial(BatchNorm, statistics={"decay": 0.9})  # 0.999 is for longer runs.
generator = sndcgan.Generator(images.shape[1:], ch=args.ch, batch_norm_fn=norm)
discriminator = sndcgan.Discriminator(images.shape[1:], ch=args.ch, spectral_norm=True)
generator.build(((1, 64), None))
discriminator.build(((1, *images.shape[1:]), None))
# Keras networks are PyTorch modules.
g_optimizer, d_optimizer = (
    torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for network in (generator, discriminator)
)

for step in range(1, args.steps + 1):
    real = images[torch.randint(len(images), (args.batch_size,))] / 255
    fake = generator((torch.randn(args.batch_size, 64), None), training=True)
    logits = [discriminator((x, None), training=True)[0] for x in (real, fake.detach())]
    d_loss = hinge(*logits).d_loss
    d_optimizer.zero_grad()
    d_loss.backward()
    d_optimizer.step()

    g_loss = hinge(logits[0].detach(), discriminator((fake, None), training=True)[0]).g_loss
    g_optimizer.zero_grad()
    g_loss.backward()
    g_optimizer.step()
    if step % 100 == 0 or step == args.steps:
        print(f"step {step}: D {d_loss:.3f}, G {g_loss:.3f}", flush=True)

with torch.no_grad():
    samples = generator((torch.randn(64, 64), None), training=False)
save_png(image_grid((255 * samples).cpu().numpy().astype(np.uint8), columns=8), args.out)
