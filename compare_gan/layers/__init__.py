"""Keras layers for GANs, usable in any Keras model.

The options of a layer are arguments of its constructor. Those that are left out come from gin's
scopes `weights`, `spectral_norm` and `standardize_batch` at the time of construction; without gin
the defaults are the same.
"""

from compare_gan.layers.activations import leaky_relu, relu
from compare_gan.layers.attention import NonLocalBlock
from compare_gan.layers.binomial_resampling import downsample_binomial, upsample_binomial
from compare_gan.layers.equalized import EqualizedConv2D, EqualizedDense
from compare_gan.layers.example_normalization import EvoNormS0, GroupNorm, RMSNorm
from compare_gan.layers.initializers import WeightOptions, weight_initializer
from compare_gan.layers.linear import Conv2D, Conv2DTranspose, Dense
from compare_gan.layers.minibatch_stddev import MinibatchStddev
from compare_gan.layers.modulation import AddedNoise, ModulatedConv2D
from compare_gan.layers.moving_statistics import estimating_moving_statistics, moving_statistics
from compare_gan.layers.normalization import (
    BatchNorm,
    ConditionalBatchNorm,
    LayerNorm,
    NoBatchNorm,
    SelfModulatedBatchNorm,
)
from compare_gan.layers.normalization_choice import Normalization, normalize
from compare_gan.layers.resampling import mean_pool, unpool, upsample_nearest
from compare_gan.layers.residual import BigGanResNetBlock, ResNetBlock
from compare_gan.layers.residual_bottleneck import BigGanDeepResNetBlock
from compare_gan.layers.spectral_norm import SpectralNorm, spectral_norm
from compare_gan.layers.standardization import BatchStatistics, StandardizeBatch
from compare_gan.layers.standing_statistics import (
    accumulating_standing_statistics,
    reset_standing_statistics,
    uses_standing_statistics,
)
from compare_gan.layers.style_mapping import StyleMapping

__all__ = [
    "AddedNoise",
    "BatchNorm",
    "BatchStatistics",
    "BigGanDeepResNetBlock",
    "BigGanResNetBlock",
    "ConditionalBatchNorm",
    "Conv2D",
    "Conv2DTranspose",
    "Dense",
    "EqualizedConv2D",
    "EqualizedDense",
    "EvoNormS0",
    "GroupNorm",
    "LayerNorm",
    "MinibatchStddev",
    "ModulatedConv2D",
    "NoBatchNorm",
    "NonLocalBlock",
    "Normalization",
    "RMSNorm",
    "ResNetBlock",
    "SelfModulatedBatchNorm",
    "SpectralNorm",
    "StandardizeBatch",
    "StyleMapping",
    "WeightOptions",
    "accumulating_standing_statistics",
    "downsample_binomial",
    "estimating_moving_statistics",
    "leaky_relu",
    "mean_pool",
    "moving_statistics",
    "normalize",
    "relu",
    "reset_standing_statistics",
    "spectral_norm",
    "unpool",
    "upsample_binomial",
    "upsample_nearest",
    "uses_standing_statistics",
    "weight_initializer",
]
