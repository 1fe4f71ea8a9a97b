"""Path length: equal steps in the generator's styles change the image equally much."""

import math
from collections.abc import Callable

from keras import ops

from compare_gan import registry
from compare_gan.backend import cross_replica_mean, gradient
from compare_gan.errors import check_decay, check_positive_integer
from compare_gan.penalties.base import Penalty
from compare_gan.schedules import Scheduled
from compare_gan.types import Tensor

_SMALLEST = 1e-30  # Of squared lengths: the root has no derivative at 0.


@registry.register("penalty", "path_length", paper="https://arxiv.org/abs/1912.04958")
class PathLength(Penalty):
    """Keeps the generator's gradient at the styles near its average length (Karras et al., 2020).

    The length is that of the gradient of the sum of the image times normal noise, divided by the
    root of the number of pixels, with respect to the style; over several layers, the root of the
    mean square. The penalty is the mean of (length - a)², where a is a moving average of the mean
    length, this batch (or microbatch) included, which checkpoints save. Without styles, that is,
    for all generators but StyleGAN2's, the gradient is that at the latents. Each style is that of
    one latent: the authors' program mixes styles here too.

    Images here are in [0, 1], where lengths are half of those in [-1, 1] and the penalty is a
    quarter: the default weight equals the published one, 2, for [-1, 1].

    Paper: https://arxiv.org/abs/1912.04958.

    Args:
      weight: Weight of the term, a number or a schedule.
      decay: Decay of the average; 0.99 in the paper.
      batch_shrink: Fraction of the batch that is used: every second example for 2.
      interval: Number of generator updates between two evaluations; 4 in the paper. If it is above
        1, each replica of TensorFlow compares with an average that includes only its own lengths of
        this step; the average that is stored includes all.

    Raises:
      UserError: A value is out of range.

    Example:
      >>> from compare_gan.penalties import PathLength
      >>> PathLength(interval=8).weight
      8.0
    """

    name = "path_length"

    def __init__(
        self,
        weight: Scheduled = 8.0,
        decay: float = 0.99,
        batch_shrink: int = 2,
        interval: int = 4,
    ):
        super().__init__(weight, interval)
        check_decay("path_length.decay", decay)
        check_positive_integer("path_length.batch_shrink", batch_shrink)
        self.decay = decay
        self.batch_shrink = batch_shrink

    def build(self) -> None:
        self.average = self.add_variable("average")

    def generator_term(
        self,
        styles: Callable[[Tensor, Tensor | None], Tensor],
        synthesize: Callable[[Tensor, Tensor | None], Tensor],
        z: Tensor,
        fake_y: Tensor | None,
        normal: Callable[..., Tensor],
    ) -> Tensor:
        """The term after an update of the average, a scalar in [0, inf).

        Args:
          styles: Function from latents and labels to styles [n, …, w_dim].
          synthesize: Function from styles and labels to images [n, H, W, C].
          z: Float [b, z_dim].
          fake_y: Float [b, k], labels of the generated images; None if unconditional.
          normal: Function from a shape to normal draws.
        """
        # Not the first half: these are the same examples on any number of replicas.
        z = z[:: self.batch_shrink]
        y = None if fake_y is None else fake_y[:: self.batch_shrink]

        def projected(given: Tensor) -> Tensor:
            images = ops.cast(synthesize(given, y), "float32")
            _, height, width, _ = images.shape
            return ops.sum(images * normal(images.shape) / math.sqrt(height * width))

        slopes = ops.cast(gradient(projected, ops.convert_to_tensor(styles(z, y))), "float32")
        squares = ops.sum(ops.square(slopes), axis=-1)
        squared_lengths = ops.mean(ops.reshape(squares, (z.shape[0], -1)), axis=1)
        lengths = ops.sqrt(ops.maximum(squared_lengths, _SMALLEST))
        mean = ops.mean(lengths)
        if self.interval == 1:  # Otherwise replicas cannot communicate here.
            [mean] = cross_replica_mean([mean])
        average = self.average.value
        average = average + (1 - self.decay) * (mean - average)
        self.average.assign(ops.stop_gradient(average))
        return ops.mean(ops.square(lengths - average))
