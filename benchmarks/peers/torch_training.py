"""One training step in PyTorch with the arithmetic of ours: the peer to measure against."""

import itertools
import sys
import time

import numpy as np
import torch
from peers.torch_networks import NETWORKS
from torch.nn import functional


class TorchTrainer:
    """`disc_iters` discriminator updates and one generator update: non-saturating loss, Adam.

    As our step it shows real and generated images in one forward, makes the fakes of all
    discriminator updates in one forward of the generator and no gradients that nothing needs.

    Args:
      name: Key of `NETWORKS`.
      gan: Our GAN, whose sizes, weights and rates are taken over.
      channels_last: Memory format of the networks and images.
      compiled: Whether the networks go through `torch.compile`.
    """

    def __init__(self, name: str, gan, channels_last: bool = True, compiled: bool = False):
        generator_class, discriminator_class = NETWORKS[name]
        size, _, colors = gan.image_shape
        self.generator = generator_class(size, colors, gan.z_dim, gan.generator.ch)
        self.discriminator = discriminator_class(size, colors, gan.discriminator.ch)
        copy_weights(gan.generator, self.generator)
        copy_weights(gan.discriminator, self.discriminator)
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.networks = [self.generator, self.discriminator]
        for network in self.networks:
            network.train().to(memory_format=self.memory_format)
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(network.parameters(), gan.g_lr, betas=(0.9, 0.999), eps=1e-8)
            for network in self.networks
        )
        self._generate, self._discriminate = self.networks
        if compiled:
            self._generate, self._discriminate = (torch.compile(n) for n in self.networks)

    def step(self, batch: dict[str, np.ndarray]) -> dict[str, float]:
        """Trains on one element of our input pipeline: [disc_iters + 1, b, …] each.

        Returns:
          The losses of the last discriminator update and of the generator update.
        """
        x, z = torch.tensor(batch["images"]), torch.tensor(batch["z"])
        x = x.permute(0, 1, 4, 2, 3)
        if x.dtype == torch.uint8:
            x = x.float() / 255
        disc_iters = len(z) - 1
        with torch.no_grad():
            fakes = self._generate(z[:-1].flatten(0, 1)).chunk(disc_iters)
        for real, fake in zip(x[:-1], fakes, strict=True):
            both = torch.cat([real, fake]).contiguous(memory_format=self.memory_format)
            real_logits, fake_logits = self._discriminate(both).chunk(2)
            d_loss = (
                functional.softplus(-real_logits).mean() + functional.softplus(fake_logits).mean()
            )
            self.d_optimizer.zero_grad()
            d_loss.backward()
            self.d_optimizer.step()
        self.discriminator.requires_grad_(False)
        g_loss = functional.softplus(-self._discriminate(self._generate(z[-1]))).mean()
        self.g_optimizer.zero_grad()
        g_loss.backward()
        self.g_optimizer.step()
        self.discriminator.requires_grad_(True)
        return {"discriminator": d_loss.item(), "generator": g_loss.item()}


def fastest_trainer(name: str, gan, batch) -> TorchTrainer:
    """The fastest of plain and compiled, channels last and first, by its second step on `batch`."""
    seconds = {}
    for channels_last, compiled in itertools.product((True, False), repeat=2):
        trainer = TorchTrainer(name, gan, channels_last, compiled)
        trainer.step(batch)
        started = time.perf_counter()
        trainer.step(batch)
        seconds[channels_last, compiled] = time.perf_counter() - started
    for (channels_last, compiled), value in seconds.items():
        print(
            f"PyTorch {name}, {'compiled' if compiled else 'plain'}, channels "
            f"{'last' if channels_last else 'first'}: {value:.3g} s a step",
            file=sys.stderr,
        )
    return TorchTrainer(name, gan, *min(seconds, key=seconds.get))


def copy_weights(ours, theirs: torch.nn.Module) -> None:
    """Gives a PyTorch network the weights, statistics and singular vectors of our network.

    Raises:
      ValueError: A tensor of `theirs` has no counterpart.
    """
    tensors = dict(theirs.named_parameters()) | dict(theirs.named_buffers())
    for variable in ours.variables:
        *scopes, name = variable.path.split("/")[1:]
        layer = ".".join(scopes)
        value = _to_torch(name, np.asarray(variable.value))
        normalized = f"{layer}.parametrizations.weight.original"
        target = normalized if name == "kernel" and normalized in tensors else None
        target = target or f"{layer}.{_NAMES[name]}"
        with torch.no_grad():
            tensor = tensors.pop(target)
            if name == "u_var" and theirs.get_parameter(normalized).ndim == 4:
                _, channels, h, w = theirs.get_parameter(normalized).shape
                value = value.reshape(h, w, channels).transpose(2, 0, 1)
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(value)).reshape(tensor.shape))
    # PyTorch counts batches, and makes u anew from v in each forward.
    left = [name for name in tensors if not name.endswith(("num_batches_tracked", "._u"))]
    if left:
        raise ValueError(f"We have nothing that is {', '.join(left)}.")


_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    # Ours keeps the vector on the side of the inputs ("left"), which PyTorch calls v.
    "u_var": "parametrizations.weight.0._v",
}


def _to_torch(name: str, value: np.ndarray) -> np.ndarray:
    if name != "kernel":
        return value
    # [kh, kw, in, out] to [out, in, kh, kw]; transposed: [kh, kw, out, in] to [in, out, kh, kw].
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
