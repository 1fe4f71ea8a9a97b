"""The few operations that `keras.ops` lacks, for each Keras backend.

Below `gans`, this room alone imports a backend, and only when a function is called.
"""

from compare_gan.backend.activations import leaky_relu, relu
from compare_gan.backend.adam import AdamFactors, apply_adam
from compare_gan.backend.binomial import binomial_filter, binomial_filter_transpose
from compare_gan.backend.building import first_call, initializer
from compare_gan.backend.compiled import compiled
from compare_gan.backend.convolution import add_bias, conv, conv_transpose, mean_by_channel
from compare_gan.backend.draws import batch_normal, batch_uniform
from compare_gan.backend.gradients import (
    directional_derivative,
    gradient,
    gradients_with_outputs,
    value_and_gradients,
    without_assignments,
)
from compare_gan.backend.parts import num_parts, num_shares, other_rows, part_of_batch, rows_of_part
from compare_gan.backend.placement import current_device, on_device
from compare_gan.backend.pooling import max_pool
from compare_gan.backend.rematerialization import rematerializable, rematerialization
from compare_gan.backend.replicas import (
    computed_when,
    cross_replica_mean,
    gathered,
    in_replicas,
    num_replicas,
    on_cpu,
)
from compare_gan.backend.resizing import tf1_bilinear
from compare_gan.backend.special import lgamma

__all__ = [
    "AdamFactors",
    "add_bias",
    "apply_adam",
    "batch_normal",
    "batch_uniform",
    "binomial_filter",
    "binomial_filter_transpose",
    "compiled",
    "computed_when",
    "conv",
    "conv_transpose",
    "cross_replica_mean",
    "current_device",
    "directional_derivative",
    "first_call",
    "gathered",
    "gradient",
    "gradients_with_outputs",
    "in_replicas",
    "initializer",
    "leaky_relu",
    "lgamma",
    "max_pool",
    "mean_by_channel",
    "num_parts",
    "num_replicas",
    "num_shares",
    "on_cpu",
    "on_device",
    "other_rows",
    "part_of_batch",
    "relu",
    "rematerializable",
    "rematerialization",
    "rows_of_part",
    "tf1_bilinear",
    "value_and_gradients",
    "without_assignments",
]
