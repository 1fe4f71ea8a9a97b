"""BigGAN in PyTorch, layer for layer as in `compare_gan.architectures.resnet_biggan`.

Like `torch_networks`, written as a PyTorch user would, with modules named after our variables.
"""

import torch
from peers.torch_networks import BATCH_NORM, to_image, unpool
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm


class _ConditionalBatchNorm(nn.BatchNorm2d):
    """Batch norm of [n, c, h, w]; scale and offset are linear in vectors [n, dim]."""

    def __init__(self, channels: int, dim: int):
        super().__init__(channels, affine=False, **BATCH_NORM)
        self.condition = nn.ModuleDict(
            {
                name: spectral_norm(nn.Linear(dim, channels, bias=False))
                for name in ("gamma", "beta")
            }
        )

    def forward(self, x, y):
        gamma, beta = (self.condition[name](y)[..., None, None] for name in ("gamma", "beta"))
        return super().forward(x) * (1 + gamma) + beta


class _NoNorm(nn.Module):
    def forward(self, x, y):
        return x


class _Block(nn.Module):
    """Norm, ReLU, 3 x 3 convolution, twice, plus an optional shortcut by a 1 x 1 convolution."""

    def __init__(self, before: int, after: int, scale: str, shortcut: bool, dim: int | None):
        super().__init__()
        self.scale = scale
        self.bn1, self.bn2 = (
            _NoNorm() if dim is None else _ConditionalBatchNorm(width, dim)
            for width in (before, after)
        )
        first, second = (scale if scale == way else "same" for way in ("up", "down"))
        around = "same" if scale == "none" else scale
        self.names = [f"{first}_conv1", f"{second}_conv2"]
        self.add_module(self.names[0], spectral_norm(nn.Conv2d(before, after, 3, padding=1)))
        self.add_module(self.names[1], spectral_norm(nn.Conv2d(after, after, 3, padding=1)))
        if shortcut:
            self.names.append(f"{around}_conv_shortcut")
            self.add_module(self.names[2], spectral_norm(nn.Conv2d(before, after, 1)))

    def forward(self, x, y=None):
        conv1, conv2, *shortcut = (getattr(self, name) for name in self.names)
        h = functional.relu(self.bn1(x, y))
        if self.scale == "up":
            h, x = unpool(h), unpool(x)
        h = conv2(functional.relu(self.bn2(conv1(h), y)))
        if shortcut:
            h = h + shortcut[0](x)
        return functional.avg_pool2d(h, 2) if self.scale == "down" else h


class _Attention(nn.Module):
    """Self-attention over pixels with keys and values pooled by two; keeps [n, c, h, w]."""

    def __init__(self, channels: int):
        super().__init__()
        for name, before, after in (
            ("theta", channels, channels // 8),
            ("phi", channels, channels // 8),
            ("g", channels, channels // 2),
            ("attn_g", channels // 2, channels),
        ):
            conv = spectral_norm(nn.Conv2d(before, max(after, 1), 1, bias=False))
            self.add_module(f"conv2d_{name}", conv)
        self.sigma = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        n, _, h, w = x.shape
        queries = self.conv2d_theta(x).flatten(2)
        keys = functional.max_pool2d(self.conv2d_phi(x), 2).flatten(2)
        values = functional.max_pool2d(self.conv2d_g(x), 2).flatten(2)
        attention = torch.softmax(queries.transpose(1, 2) @ keys, dim=-1)
        result = (values @ attention.to(values.dtype).transpose(1, 2)).view(n, -1, h, w)
        return x + self.sigma.to(x.dtype) * self.conv2d_attn_g(result)


def _add_blocks(network: nn.Module, ours, dim: int | None) -> None:
    """Adds the blocks and attention layers of ours; `network.order` lists them first to last."""
    network.order = []
    for block in ours.blocks:
        widths, shortcut = (block.in_channels, block.out_channels), block.shortcut is not None
        network.add_module(block.name, _Block(*widths, block.scale, shortcut, dim))
        network.order.append(block.name)
        if block.name in ours.attention:
            name = ours.attention[block.name].name
            network.add_module(name, _Attention(block.out_channels))
            network.order.append(name)


class Generator(nn.Module):
    """z [n, z_dim], y [n, num_classes] to images [n, colors, size, size] in [0, 1].

    Args:
      gan: Our GAN, with `hierarchical_z` and `embed_y`, which determines sizes and widths.
    """

    def __init__(self, gan):
        super().__init__()
        ours = gan.generator
        first, last = ours.blocks[0].in_channels, ours.blocks[-1].out_channels
        self.parts = len(ours.blocks) + 1
        part = gan.z_dim // self.parts
        self.embed_y = nn.Linear(gan.num_classes, ours.embed_y_dim, bias=False)
        self.fc_noise = spectral_norm(nn.Linear(part, 16 * first))
        _add_blocks(self, ours, part + ours.embed_y_dim)
        self.final_norm = nn.BatchNorm2d(last, **BATCH_NORM)
        self.final_conv = spectral_norm(nn.Conv2d(last, gan.image_shape[2], 3, padding=1))

    def forward(self, z, y):
        # Plain indices: `torch.compile` would break the graph at an iterator.
        zs, part = z.chunk(self.parts, dim=1), 0
        y, x = self.embed_y(y), to_image(self.fc_noise(zs[0]), 4)
        for name in self.order:
            layer = getattr(self, name)
            if isinstance(layer, _Block):
                part += 1
                x = layer(x, torch.cat([zs[part], y], dim=1))
            else:
                x = layer(x)
        return 0.5 * torch.tanh(self.final_conv(functional.relu(self.final_norm(x)))) + 0.5


class Discriminator(nn.Module):
    """Images [n, colors, size, size] in [0, 1], y [n, num_classes] to logits [n, 1].

    Args:
      gan: Our GAN, with `project_y`, which determines sizes and widths.
    """

    def __init__(self, gan):
        super().__init__()
        width = gan.discriminator.blocks[-1].out_channels
        _add_blocks(self, gan.discriminator, None)
        self.final_fc = spectral_norm(nn.Linear(width, 1))
        self.embedding_fc = spectral_norm(nn.Linear(gan.num_classes, width, bias=False))

    def forward(self, x, y):
        for name in self.order:
            x = getattr(self, name)(x)
        features = functional.relu(x).sum(dim=(2, 3))
        return self.final_fc(features) + (self.embedding_fc(y) * features).sum(1, keepdim=True)
