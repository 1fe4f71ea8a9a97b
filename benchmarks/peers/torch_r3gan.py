"""R3GAN in PyTorch, layer for layer as in `compare_gan.architectures.r3gan`, without labels.

Written like `torch_networks`, with options taken from our networks.
"""

import torch
from torch import nn
from torch.nn import functional


class _Block(nn.Module):
    """1 x 1 to twice the width, grouped 3 x 3, 1 x 1 back, plus the input."""

    def __init__(self, width: int, group_size: int):
        super().__init__()
        inner = 2 * width
        self.conv1 = nn.Conv2d(width, inner, 1)
        self.conv2 = nn.Conv2d(inner, inner, 3, padding=1, groups=inner // group_size)
        self.conv3 = nn.Conv2d(inner, width, 1, bias=False)

    def forward(self, x):
        h = functional.leaky_relu(self.conv1(x), 0.2)
        h = functional.leaky_relu(self.conv2(h), 0.2)
        return x + self.conv3(h)


class _Resample(nn.Module):
    """Resampling by two with [1, 3, 3, 1] and, between widths, 1 x 1 on the smaller side."""

    def __init__(self, up: bool, before: int, after: int):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(before, after, 1, bias=False) if before != after else nn.Identity()
        taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / (4 if up else 8)
        channels = after if up else before
        self.register_buffer("taps", torch.outer(taps, taps).repeat(channels, 1, 1, 1))

    def forward(self, x):
        options = {"stride": 2, "padding": 1, "groups": len(self.taps)}
        if self.up:
            return functional.conv_transpose2d(self.conv(x), self.taps, **options)
        return self.conv(functional.conv2d(x, self.taps, **options))


class _Basis(nn.Module):
    """A 4 x 4 image for each channel."""

    def __init__(self, width: int):
        super().__init__()
        self.basis = nn.Parameter(torch.empty(4, 4, width))


def _add_blocks(network: nn.Module, plan, stage: int) -> list[nn.Module]:
    """Registers the blocks of one size under our names."""
    blocks = []
    for i in range(plan.options["blocks_per_size"]):
        blocks.append(_Block(plan.widths[stage], plan.options["group_size"]))
        setattr(network, f"stage{stage}_block{i}", blocks[-1])
    return blocks


class Generator(nn.Module):
    """z [n, z_dim] to images [n, colors, size, size], most of them in [0, 1]."""

    def __init__(self, gan):
        super().__init__()
        plan = gan.generator.plan
        widths = plan.widths
        self.fc_noise = nn.Linear(gan.z_dim, widths[0], bias=False)
        self.seed = _Basis(widths[0])
        trunk = _add_blocks(self, plan, 0)
        for i in range(1, len(widths)):
            up = _Resample(True, widths[i - 1], widths[i])
            setattr(self, f"stage{i}_up", up)
            trunk += [up, *_add_blocks(self, plan, i)]
        self.trunk = trunk  # A plain list, because the layers are registered under their names.
        self.to_rgb = nn.Conv2d(widths[-1], gan.image_shape[2], 1, bias=False)

    def forward(self, z):
        x = (self.seed.basis * self.fc_noise(z)[:, None, None, :]).permute(0, 3, 1, 2)
        for layer in self.trunk:
            x = layer(x)
        return 0.5 * self.to_rgb(x) + 0.5


class Discriminator(nn.Module):
    """Images [n, colors, size, size] in [0, 1] to logits [n, 1]."""

    def __init__(self, gan):
        super().__init__()
        plan = gan.discriminator.plan
        widths = plan.widths
        self.from_rgb = nn.Conv2d(gan.image_shape[2], widths[-1], 1, bias=False)
        trunk = []
        for i in reversed(range(1, len(widths))):
            down = _Resample(False, widths[i], widths[i - 1])
            setattr(self, f"stage{i}_down", down)
            trunk += [*_add_blocks(self, plan, i), down]
        self.trunk = trunk + _add_blocks(self, plan, 0)
        self.pool = _Basis(widths[0])
        self.fc = nn.Linear(widths[0], 1, bias=False)

    def forward(self, x):
        x = self.from_rgb(2 * x - 1)
        for layer in self.trunk:
            x = layer(x)
        return self.fc((x * self.pool.basis.permute(2, 0, 1)).sum(dim=(2, 3)))
