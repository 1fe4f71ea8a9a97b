"""One training step in PyTorch with the same arithmetic as ours, for comparison."""

import collections
import itertools
import math
import sys
import time

import numpy as np
import torch
from peers import torch_biggan, torch_networks, torch_r3gan
from torch.nn import functional


class TorchTrainer:
    """`disc_iters` discriminator updates and one generator update, with Adam.

    Like our step, it passes real and generated images through the discriminator together, generates
    the fakes of all discriminator updates together and computes no unused gradients.

    Args:
      name: `sndcgan`, `resnet_cifar` (both with the non-saturating loss), or `resnet_biggan`, which
        is conditional, with the hinge loss.
      gan: Our GAN, from which sizes and weights are copied.
      channels_last: Whether networks and images have the memory format channels last.
      compiled: Whether the networks are compiled by `torch.compile`; see `compile_networks`.
      device: Device that computes.
      precision: `bfloat16` or `float16` (with a gradient scaler) for automatic mixed precision.
      learning_rates: Learning rates of the generator and of the discriminator.
    """

    def __init__(
        self,
        name: str,
        gan,
        channels_last: bool = True,
        compiled: bool = False,
        device: str = "cpu",
        precision: str = "float32",
        learning_rates: tuple[float, float] = (2e-4, 2e-4),
    ):
        self.conditional = name == "resnet_biggan"
        networks = self._make_networks(name, gan)
        self.d_loss, self.g_loss = _LOSSES["hinge" if self.conditional else "non_saturating"]
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        for ours, network in zip((gan.generator, gan.discriminator), networks, strict=True):
            copy_weights(ours, network)
            network.train().to(device, memory_format=self.memory_format)
        self.generator, self.discriminator = networks
        self.g_optimizer, self.d_optimizer = (
            torch.optim.Adam(network.parameters(), rate, betas=_BETAS, fused=device == "cuda")
            for network, rate in zip(networks, learning_rates, strict=True)
        )
        self._updates = collections.Counter()  # For each optimizer.
        self.device, half = device, getattr(torch, precision)
        self._autocast = torch.autocast(device, half, enabled=precision != "float32")
        self._g_scaler, self._d_scaler = (
            torch.amp.GradScaler(device, enabled=precision == "float16") for _ in range(2)
        )
        self._by_mode = {None: networks}
        self.compile_networks("default" if compiled else None)

    def _make_networks(self, name: str, gan) -> tuple[torch.nn.Module, torch.nn.Module]:
        if self.conditional:
            return torch_biggan.Generator(gan), torch_biggan.Discriminator(gan)
        return torch_networks.make_networks(name, gan)

    def compile_networks(self, mode: str | None) -> None:
        """Computes with networks compiled in a mode of `torch.compile`; None = as they are."""
        if mode not in self._by_mode:
            # Each network sees two sizes of batch: one compilation for each is faster. A part that
            # cannot be compiled is an error: it would make PyTorch slower than it is.
            self._by_mode[mode] = tuple(
                torch.compile(network, mode=mode, dynamic=False, fullgraph=True)
                for network in (self.generator, self.discriminator)
            )
        self._generate, self._discriminate = self._by_mode[mode]
        # A replayed CUDA graph overwrites the results of its last run.
        self._copy_fakes = mode == "reduce-overhead"

    def to_device(self, batch: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
        """An element of our input pipeline as [disc_iters + 1, b, …] tensors, channels first."""
        tensors = {k: torch.tensor(v, device=self.device) for k, v in batch.items()}
        return tensors | {"images": tensors["images"].permute(0, 1, 4, 2, 3)}

    def step(self, batch: dict) -> dict[str, float]:
        """Trains on one element of our input pipeline, converted by `to_device` or not.

        Returns:
          The losses of the last discriminator update and of the generator update.
        """
        return {name: loss.item() for name, loss in self.start_step(batch).items()}

    def start_step(self, batch: dict) -> dict[str, torch.Tensor]:
        """The same as `step`, but does not wait for the device to finish."""
        batch = batch if torch.is_tensor(batch["z"]) else self.to_device(batch)
        x, z = batch["images"], batch["z"]
        if x.dtype == torch.uint8:
            x = x.float() / 255
        # Labels of real and of generated images: [disc_iters + 1, b, num_classes].
        ys = [batch[name] for name in ("labels", "fake_labels")] if self.conditional else []
        disc_iters = len(z) - 1
        with torch.no_grad(), self._autocast:
            fakes = self._generate(*(v[:-1].flatten(0, 1) for v in (z, *ys[1:])))
            fakes = fakes.to(torch.float32, copy=self._copy_fakes).chunk(disc_iters)
        for i, fake in enumerate(fakes):
            both = torch.cat([x[i], fake]).contiguous(memory_format=self.memory_format)
            y = [torch.cat([y[i] for y in ys])] if ys else []
            d_loss = self._discriminator_loss(both, *y)
            self._update(d_loss, self.d_optimizer, self._d_scaler)
        self.discriminator.requires_grad_(False)
        with self._autocast:
            images = self._generate(*(v[-1] for v in (z, *ys[1:])))
        g_loss = self._generator_loss(x[-1], images, *(y[-1] for y in ys[1:]))
        self._update(g_loss, self.g_optimizer, self._g_scaler)
        self.discriminator.requires_grad_(True)
        return {"discriminator": d_loss.detach(), "generator": g_loss.detach()}

    def _discriminator_loss(self, both, *y):
        """The loss for real images, followed by as many generated ones."""
        with self._autocast:
            logits = self._discriminate(both, *y)
        return self.d_loss(*logits.float().chunk(2))

    def _generator_loss(self, real, fake, *fake_y):
        with self._autocast:
            logits = self._discriminate(fake, *fake_y)
        return self.g_loss(logits.float())

    def _update(self, loss, optimizer, scaler) -> None:
        # TensorFlow adds epsilon before correcting the bias of the second moment, PyTorch after.
        # With equal epsilons, the losses would differ by 3e-3 within three steps.
        self._updates[optimizer] += 1
        for group in optimizer.param_groups:
            group["eps"] = _EPSILON / math.sqrt(1 - _BETAS[1] ** self._updates[optimizer])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


_BETAS, _EPSILON = (0.9, 0.999), 1e-8
_LOSSES = {
    "non_saturating": (
        lambda real, fake: functional.softplus(-real).mean() + functional.softplus(fake).mean(),
        lambda fake: functional.softplus(-fake).mean(),
    ),
    "hinge": (
        lambda real, fake: functional.relu(1 - real).mean() + functional.relu(1 + fake).mean(),
        lambda fake: -fake.mean(),
    ),
}


class R3GANTrainer(TorchTrainer):
    """The same for `r3gan`, with its relativistic loss and penalties on both gradients."""

    def __init__(self, name: str, gan, *args, **options):
        self._gamma = gan.penalties[0].weight
        super().__init__(name, gan, *args, **options)

    def _make_networks(self, name: str, gan) -> tuple[torch.nn.Module, torch.nn.Module]:
        return torch_r3gan.Generator(gan), torch_r3gan.Discriminator(gan)

    def _discriminator_loss(self, both, *y):
        # One forward for the loss and the penalties. Not compiled: `torch.compile` refuses second
        # derivatives.
        with self._autocast:
            logits = self.discriminator(both.requires_grad_()).float()
        [slopes] = torch.autograd.grad(logits.sum(), both, create_graph=True)
        real, fake = logits.chunk(2)
        penalty = self._gamma / 2 * slopes.square().sum() / len(real)
        return functional.softplus(fake - real).mean() + penalty

    def _generator_loss(self, real, fake, *fake_y):
        with self._autocast:
            with torch.no_grad():
                real_logits = self._discriminate(real.contiguous(memory_format=self.memory_format))
                # A replayed CUDA graph overwrites the results of its last run.
                real_logits = real_logits.to(torch.float32, copy=True)
            logits = self._discriminate(fake)
        return functional.softplus(real_logits - logits.float()).mean()


def make_trainer(name: str, gan, *args, **options) -> TorchTrainer:
    """The trainer of a family; for arguments see `TorchTrainer`."""
    return (R3GANTrainer if name == "r3gan" else TorchTrainer)(name, gan, *args, **options)


def fastest_trainer(
    name: str, gan, batch, clock=time.perf_counter, compiled=(True, False), **options
) -> TorchTrainer:
    """The fastest variant, plain or compiled, channels last or first, by its third step."""
    seconds = {}
    for variant in itertools.product((True, False), compiled):
        trainer = make_trainer(name, gan, *variant, **options)
        trainer.step(batch)
        trainer.step(batch)
        started = clock()
        trainer.step(batch)
        seconds[variant] = clock() - started
    for (channels_last, compiled), value in seconds.items():
        print(
            f"PyTorch {name}, {'compiled' if compiled else 'plain'}, channels "
            f"{'last' if channels_last else 'first'}: {value:.3g} s a step",
            file=sys.stderr,
        )
    return make_trainer(name, gan, *min(seconds, key=seconds.get), **options)


def copy_weights(ours, theirs: torch.nn.Module) -> None:
    """Copies weights, statistics and singular vectors of our network to a PyTorch network.

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
            tensor.copy_(torch.from_numpy(np.array(value, order="C")).reshape(tensor.shape))
    # PyTorch counts batches, recomputes u from v in each forward pass, and has constant filters.
    left = [name for name in tensors if not name.endswith(("num_batches_tracked", "._u", "taps"))]
    if left:
        raise ValueError(f"Our network has no counterpart of {', '.join(left)}.")


_NAMES = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "basis": "basis",
    "sigma": "sigma",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
    # Our network stores the singular vector of the inputs ("left"), which PyTorch calls v.
    "u_var": "parametrizations.weight.0._v",
}


def _to_torch(name: str, value: np.ndarray) -> np.ndarray:
    if name != "kernel":
        return value
    # [kh, kw, in, out] to [out, in, kh, kw]; transposed: [kh, kw, out, in] to [in, out, kh, kw].
    return value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.T
