"""SNDCGAN and the CIFAR ResNets in PyTorch, layer for layer as in `compare_gan.architectures`.

Written as a PyTorch user would: `torch.nn` layers, `torch.nn.utils.parametrizations.spectral_norm`,
images NCHW. Modules have the names of our variables, and dense layers receive pixels in our
order (NHWC), so that `torch_training.copy_weights` can copy the weights.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

BATCH_NORM = {"eps": 1e-3, "momentum": 1e-3}


def to_image(x, size: int):
    """[n, size·size·c], pixels first, to [n, c, size, size]."""
    return x.view(x.shape[0], size, size, -1).permute(0, 3, 1, 2)


class SNDCGANGenerator(nn.Module):
    """z [n, z_dim] to images [n, colors, size, size] in [0, 1]."""

    def __init__(self, size: int, colors: int, z_dim: int, ch: int):
        super().__init__()
        self.seed_size = size // 8
        self.g_fc1 = nn.Linear(z_dim, self.seed_size**2 * 8 * ch)
        self.g_bn1 = nn.BatchNorm1d(self.seed_size**2 * 8 * ch, **BATCH_NORM)
        for i, width in enumerate((8, 4, 2), start=2):
            deconv = nn.ConvTranspose2d(width * ch, width * ch // 2, 4, stride=2, padding=1)
            setattr(self, f"g_dc{i}", deconv)
            setattr(self, f"g_bn{i}", nn.BatchNorm2d(width * ch // 2, **BATCH_NORM))
        self.g_dc5 = nn.ConvTranspose2d(ch, colors, 3, padding=1)

    def forward(self, z):
        x = to_image(functional.relu(self.g_bn1(self.g_fc1(z))), self.seed_size)
        x = functional.relu(self.g_bn2(self.g_dc2(x)))
        x = functional.relu(self.g_bn3(self.g_dc3(x)))
        x = functional.relu(self.g_bn4(self.g_dc4(x)))
        return 0.5 * torch.tanh(self.g_dc5(x)) + 0.5


class SNDCGANDiscriminator(nn.Module):
    """Images [n, colors, size, size] in [0, 1] to logits [n, 1]."""

    def __init__(self, size: int, colors: int, ch: int):
        super().__init__()
        widths = (colors, ch, 2 * ch, 2 * ch, 4 * ch, 4 * ch, 8 * ch, 8 * ch)
        convs = []
        for i, (before, width) in enumerate(itertools.pairwise(widths)):
            kernel, stride = (4, 2) if i % 2 else (3, 1)
            conv = spectral_norm(nn.Conv2d(before, width, kernel, stride=stride, padding=1))
            setattr(self, f"d_conv{i + 1}", conv)
            convs.append(conv)
        self.convs = convs  # A plain list, because the layers are registered under their names.
        self.d_fc1 = spectral_norm(nn.Linear((size // 8) ** 2 * 8 * ch, 1))

    def forward(self, x):
        x = 2 * x - 1
        for conv in self.convs:
            x = functional.leaky_relu(conv(x), 0.1)
        return self.d_fc1(x.permute(0, 2, 3, 1).flatten(1))


def unpool(x):
    """Doubles height and width by adding three zeros to the right of and below each pixel."""
    n, c, h, w = x.shape
    y = torch.empty(
        (n, c, 2 * h, 2 * w), dtype=x.dtype, device=x.device, memory_format=_format_of(x)
    ).zero_()
    y[:, :, ::2, ::2] = x
    return y


def _format_of(x):
    last = x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


class _Block(nn.Module):
    """Norm, ReLU, convolution, twice, plus a 3 x 3 convolution as shortcut."""

    def __init__(self, before: int, after: int, scale: str, discriminator: bool):
        super().__init__()
        wrap = spectral_norm if discriminator else lambda conv: conv
        self.scale = scale
        self.bn1 = nn.Identity() if discriminator else nn.BatchNorm2d(before, **BATCH_NORM)
        self.bn2 = nn.Identity() if discriminator else nn.BatchNorm2d(after, **BATCH_NORM)
        first = scale if scale == "up" else "same"
        second = scale if scale == "down" else "same"
        around = "same" if scale == "none" else scale
        self.names = (f"{first}_conv1", f"{second}_conv2", f"{around}_conv_shortcut")
        for name, width in zip(self.names, (before, after, before), strict=True):
            setattr(self, name, wrap(nn.Conv2d(width, after, 3, padding=1)))

    def forward(self, x):
        conv1, conv2, shortcut = (getattr(self, name) for name in self.names)
        h = functional.relu(self.bn1(x))
        if self.scale == "up":
            h, x = unpool(h), unpool(x)
        h = conv2(functional.relu(self.bn2(conv1(h)))) + shortcut(x)
        return functional.avg_pool2d(h, 2) if self.scale == "down" else h


class ResNetCifarGenerator(nn.Module):
    """z [n, z_dim] to images [n, colors, 32, 32] in [0, 1]."""

    def __init__(self, size: int, colors: int, z_dim: int, ch: int):
        super().__init__()
        del size  # 32
        self.fc_noise = nn.Linear(z_dim, 16 * ch)
        for i in range(3):
            setattr(self, f"B{i + 1}", _Block(ch, ch, "up", discriminator=False))
        self.final_norm = nn.BatchNorm2d(ch, **BATCH_NORM)
        self.final_conv = nn.Conv2d(ch, colors, 3, padding=1)

    def forward(self, z):
        x = self.B3(self.B2(self.B1(to_image(self.fc_noise(z), 4))))
        return torch.sigmoid(self.final_conv(functional.relu(self.final_norm(x))))


class ResNetCifarDiscriminator(nn.Module):
    """Images [n, colors, 32, 32] in [0, 1] to logits [n, 1]."""

    def __init__(self, size: int, colors: int, ch: int):
        super().__init__()
        del size  # Any.
        for i, scale in enumerate(("down", "down", "none", "none")):
            block = _Block(ch if i else colors, ch, scale, discriminator=True)
            setattr(self, f"B{i + 1}", block)
        self.disc_final_fc = spectral_norm(nn.Linear(ch, 1))

    def forward(self, x):
        x = self.B4(self.B3(self.B2(self.B1(x))))
        return self.disc_final_fc(functional.relu(x).mean(dim=(2, 3)))


_NETWORKS = {
    "sndcgan": (SNDCGANGenerator, SNDCGANDiscriminator),
    "resnet_cifar": (ResNetCifarGenerator, ResNetCifarDiscriminator),
}


def make_networks(name: str, gan) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of a family, with the sizes of our GAN."""
    generator, discriminator = _NETWORKS[name]
    size, _, colors = gan.image_shape
    return (
        generator(size, colors, gan.z_dim, gan.generator.ch),
        discriminator(size, colors, gan.discriminator.ch),
    )
