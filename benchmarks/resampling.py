"""Speed of a residual block with resampling folded into the convolutions and with plain resampling.

    python benchmarks/resampling.py            # the table in benchmarks/README.md
    python benchmarks/resampling.py --steps 9

Measures forward and backward (all gradients) of one block as a compiled graph, alternating both
forms so that other load on the machine affects both; shows the median and the quartiles.
"""

import statistics
import time

import click
from operations import count_operations

from compare_gan.startup import prepare_tensorflow

# Direction, upsampling, side of the input and channels, for batches of 64.
_CASES = [
    (scale, upsample, side, channels)
    for scale, upsample in (("up", "zeros"), ("up", "nearest"), ("down", "zeros"))
    for side, channels in (((8, 256), (16, 128)) if scale == "up" else ((16, 256), (32, 128)))
]


def _make_step(scale: str, upsample: str, side: int, channels: int, batch_size: int, resample: str):
    """A compiled function for forward and backward of such a block, already traced."""
    import keras
    import tensorflow as tf

    from compare_gan.layers import ResNetBlock

    keras.utils.set_random_seed(0)
    block = ResNetBlock(
        channels, channels, scale, scale == "up", upsample=upsample, resample=resample
    )
    x = tf.random.stateless_normal([batch_size, side, side, channels], seed=[0, 0])
    block(x[:1])
    variables = [v.value for v in block.trainable_variables]

    @tf.function(autograph=False)
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = tf.reduce_mean(tf.square(block(x, training=True)))
        # The sum depends on all gradients without copying them to the host.
        return tf.add_n([tf.reduce_sum(g) for g in tape.gradient(value, [x, *variables])])

    step(x).numpy()
    return lambda: step(x).numpy(), count_operations(step.get_concrete_function(x))


def _quartiles(values) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g}–{high:.3g})"


@click.command()
@click.option("--steps", default=5, show_default=True, type=click.IntRange(min=3))
@click.option("--batch_size", default=64, show_default=True, type=click.IntRange(min=1))
def main(steps, batch_size):
    prepare_tensorflow()
    print(
        "| block | input | folded, s | plain, s | plain / folded | operations, plain / folded |\n"
        "|---|---|---|---|---|---|"
    )
    for scale, upsample, side, channels in _CASES:
        case = (scale, upsample, side, channels, batch_size)
        (folded, small), (plain, large) = (_make_step(*case, r) for r in ("folded", "plain"))
        seconds = {folded: [], plain: []}
        for _ in range(steps):
            for step, values in seconds.items():
                started = time.perf_counter()
                step()
                values.append(time.perf_counter() - started)
        ratios = [b / a for a, b in zip(seconds[folded], seconds[plain], strict=True)]
        name = f"up, {upsample}" if scale == "up" else "down, mean"
        print(
            f"| {name} | {batch_size}×{side}×{side}×{channels} | {_quartiles(seconds[folded])} | "
            f"{_quartiles(seconds[plain])} | {_quartiles(ratios)} | {large / small:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
