"""From configs of StudioGAN to those of this library.

settings                what a YAML file sets, over StudioGAN's defaults
networks, objective     the gin bindings that stand for its settings
conversion              `convert`: the gin file and what has no counterpart

StudioGAN: https://arxiv.org/abs/2206.09479.
"""

from compare_gan.hub.studiogan.conversion import Conversion, convert

__all__ = ["Conversion", "convert"]
