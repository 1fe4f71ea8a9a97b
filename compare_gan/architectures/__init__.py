"""Architectures: modules with a `Generator` and a `Discriminator`; `base` defines their contract.

from compare_gan.architectures import resnet_biggan

discriminator = resnet_biggan.Discriminator((128, 128, 3), ch=64, spectral_norm=True)
logits, features = discriminator((images, labels), training=True)
"""

import importlib
import pkgutil

# Each family registers itself when its module is imported.
for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
