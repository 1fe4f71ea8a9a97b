"""Architectures: modules with a `Generator` and a `Discriminator`, see `base` for their contract.

from compare_gan.architectures import resnet_biggan

discriminator = resnet_biggan.Discriminator((128, 128, 3), ch=64, spectral_norm=True)
logits, features = discriminator((images, labels), training=True)
"""

from compare_gan import registry
from compare_gan.architectures import dcgan, dummy, resnet_biggan, resnet_cifar, sndcgan

__all__ = ["dcgan", "dummy", "resnet_biggan", "resnet_cifar", "sndcgan"]

for _name, _module, _summary, _paper in (
    (
        "dcgan_arch", dcgan,
        "Strided 5 x 5 convolutions; images of any size.",
        "https://arxiv.org/abs/1511.06434",
    ),
    (
        "sndcgan_arch", sndcgan,
        "The plain convolutional networks of spectral normalization's paper; any size.",
        "https://arxiv.org/abs/1802.05957",
    ),
    (
        "resnet_cifar_arch", resnet_cifar,
        "SNGAN's residual networks for 32 x 32 images, optionally with projection.",
        "https://arxiv.org/abs/1802.05957",
    ),
    (
        "resnet_biggan_arch", resnet_biggan,
        "BigGAN: wide residual networks with self-attention, 32 x 32 to 512 x 512.",
        "https://arxiv.org/abs/1809.11096",
    ),
    ("dummy_arch", dummy, "A few weights, for tests.", ""),
):  # fmt: skip
    registry.add("architecture", _name, _module, summary=_summary, paper=_paper)
