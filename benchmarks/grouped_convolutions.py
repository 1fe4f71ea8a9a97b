"""Forms of R3GAN's grouped 3 x 3 convolution in TensorFlow on a CPU: milliseconds of each.

    python benchmarks/grouped_convolutions.py
    python benchmarks/grouped_convolutions.py --channels 1536 --group_size 32

All forms compute the same up to rounding, which is checked. Times are CPU time on one thread, the
shortest of several calls, so that other load on the machine hardly affects them.
"""

import functools
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from compare_gan.startup import prepare_tensorflow


def forms(group_size: int) -> dict[str, Callable[[Any, Any], Any]]:
    """By name, functions of x [n, h, w, c] and a kernel [3, 3, group_size, c]."""
    import tensorflow as tf

    def direct(x, kernel):
        return tf.nn.conv2d(x, kernel, 1, "SAME")

    def merged(count):
        """Fewer, larger groups, with zeros in the kernel."""

        def convolve(x, kernel):
            channels = kernel.shape[3]
            groups = tf.reshape(kernel, [3, 3, group_size, -1, count, group_size])
            blocks = tf.einsum("abdgmf,km->abkdgmf", groups, tf.eye(count))
            return direct(x, tf.reshape(blocks, [3, 3, count * group_size, channels]))

        return convolve

    def input_gradient(x, kernel):
        """The gradient of a convolution with the kernel turned by half a turn."""
        groups = tf.reshape(kernel[::-1, ::-1], [3, 3, group_size, -1, group_size])
        turned = tf.reshape(tf.transpose(groups, [0, 1, 4, 3, 2]), kernel.shape)
        return tf.nn.conv2d_transpose(x, turned, x.shape, 1, "SAME")

    def split(x, kernel):
        count = kernel.shape[3] // group_size
        pairs = zip(tf.split(x, count, 3), tf.split(kernel, count, 3), strict=True)
        return tf.concat([direct(*pair) for pair in pairs], 3)

    def products(x, kernel):
        """Nine shifted images side by side, times the kernel, for all groups in one operation."""
        n, h, w, c = x.shape
        padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
        shifted = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
        patches = tf.reshape(tf.stack(shifted), [9, n * h * w, c // group_size, group_size])
        patches = tf.reshape(tf.transpose(patches, [2, 1, 0, 3]), [-1, n * h * w, 9 * group_size])
        kernels = tf.transpose(tf.reshape(kernel, [9 * group_size, -1, group_size]), [1, 0, 2])
        return tf.reshape(tf.transpose(patches @ kernels, [1, 0, 2]), [n, h, w, c])

    return {
        "grouped convolution": direct,
        "gradient of one": input_gradient,
        "two groups in one": merged(2),
        "four groups in one": merged(4),
        "one convolution for each group": split,
        "batched matrix products": products,
    }


def _seconds(shape: list[int], group_size: int, calls: int) -> dict[str, tuple[float, float]]:
    """By form, the seconds of a forward and of both gradients.

    Raises:
      AssertionError: Two forms differ by more than rounding.
    """
    import tensorflow as tf

    x, dy = tf.random.normal(shape), tf.random.normal(shape)
    kernel = tf.random.normal([3, 3, group_size, shape[3]])
    results, seconds = {}, {}
    for name, form in forms(group_size).items():

        def gradients(form=form):
            with tf.GradientTape() as tape:
                tape.watch([x, kernel])
                y = form(x, kernel)
            return tape.gradient(y, [x, kernel], dy)

        forward = tf.function(functools.partial(form, x, kernel), autograph=False)
        gradients = tf.function(gradients, autograph=False)
        results[name] = [forward(), *gradients()]
        for a, b in zip(results[name], results["grouped convolution"], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(b).max())
        seconds[name] = _shortest(forward, calls), _shortest(gradients, calls)
    return seconds


def _shortest(function: Callable[[], Any], calls: int) -> float:
    seconds = []
    for _ in range(calls):
        started = time.process_time()
        function()
        seconds.append(time.process_time() - started)
    return min(seconds)


@click.command()
@click.option("--channels", default=256, show_default=True)
@click.option("--group_size", default=16, show_default=True)
@click.option("--batch_size", default=16, show_default=True)
@click.option("--calls", default=5, show_default=True, type=click.IntRange(min=1))
def main(channels, group_size, batch_size, calls):
    prepare_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    print("| input | form | forward, ms | GFLOP/s | gradients, ms | GFLOP/s |")
    print("|---|---|---|---|---|---|")
    for size in (32, 16, 8, 4):
        shape = [batch_size, size, size, channels]
        work = 2 * np.prod(shape) * 9 * group_size / 1e9
        for name, (forward, gradients) in _seconds(shape, group_size, calls).items():
            print(
                f"| {'×'.join(map(str, shape))} | {name} | {1e3 * forward:.3g} | "
                f"{work / forward:.0f} | {1e3 * gradients:.3g} | {2 * work / gradients:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
