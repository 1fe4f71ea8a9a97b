"""Forms of R3GAN's grouped 3 x 3 convolution in JAX: seconds of each, for the same results.

`benchmarks/grouped_convolutions.py` does this in TensorFlow on a CPU.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Form = Callable[[jax.Array, jax.Array], jax.Array]


def forms(group_size: int) -> dict[str, Form]:
    """By name, functions of x [n, h, w, c] and a kernel [3, 3, group_size, c]."""

    def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (1, 1),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=x.shape[3] // kernel.shape[2],
        )

    def merged(count: int) -> Form:
        """Fewer, larger groups, with zeros in the kernel. `count` divides the number of groups."""

        def form(x: jax.Array, kernel: jax.Array) -> jax.Array:
            split = kernel.reshape(3, 3, group_size, -1, count, group_size)
            blocks = jnp.einsum("abdgmf,km->abkdgmf", split, jnp.eye(count, dtype=kernel.dtype))
            return convolve(x, blocks.reshape(3, 3, count * group_size, -1))

        return form

    def products(x: jax.Array, kernel: jax.Array) -> jax.Array:
        """Nine shifted images side by side, times the kernel, for all groups in one operation."""
        n, h, w, c = x.shape
        padded = jnp.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
        shifted = [padded[:, i : i + h, j : j + w] for i in range(3) for j in range(3)]
        patches = jnp.stack(shifted).reshape(9, n, h, w, c // group_size, group_size)
        kernels = kernel.reshape(9, group_size, -1, group_size)
        return jnp.einsum("knhwgd,kdgf->nhwgf", patches, kernels).reshape(n, h, w, c)

    return {
        "grouped": convolve,
        "two groups in one": merged(2),
        "four groups in one": merged(4),
        "eight groups in one": merged(8),
        "batched products": products,
    }


def measure(
    shape: tuple[int, int, int, int], group_size: int, precision: str, calls: int
) -> dict[str, dict[str, float]]:
    """Compares the forms on inputs of one shape; calls of all forms alternate.

    Args:
      shape: [n, h, w, c] of the input.
      group_size: Number of channels in each group.
      precision: dtype of the arrays.
      calls: Number of calls of each form.

    Returns:
      For each form `forward` and `gradients` (those for input and kernel together), medians in
      seconds; `operations` of a forward; and `difference`, the largest one to the grouped form,
      relative to the largest value.
    """
    keys = jax.random.split(jax.random.key(0), 3)
    x, upstream = (jax.random.normal(key, shape, precision) for key in keys[:2])
    kernel = jax.random.normal(keys[2], (3, 3, group_size, shape[3]), precision)

    def gradients_of(form: Form) -> Callable[..., Any]:
        return jax.jit(lambda x, kernel, dy: jax.vjp(form, x, kernel)[1](dy))

    calculations = {
        name: (jax.jit(form), gradients_of(form)) for name, form in forms(group_size).items()
    }
    values = {name: forward(x, kernel) for name, (forward, _) in calculations.items()}
    for _, gradients in calculations.values():
        jax.block_until_ready(gradients(x, kernel, upstream))
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in calculations}
    for _ in range(calls):
        for name, (forward, gradients) in calculations.items():
            seconds[name][0].append(_seconds(forward, x, kernel))
            seconds[name][1].append(_seconds(gradients, x, kernel, upstream))
    reference = values["grouped"].astype("float32")
    scale = jnp.abs(reference).max()
    n, h, w, c = shape
    return {
        name: {
            "forward": statistics.median(forward),
            "gradients": statistics.median(gradients),
            "operations": 2.0 * n * h * w * c * 9 * group_size,
            "difference": float(jnp.abs(values[name].astype("float32") - reference).max() / scale),
        }
        for name, (forward, gradients) in seconds.items()
    }


def _seconds(function: Callable[..., Any], *arguments: jax.Array) -> float:
    """Seconds of one of ten calls, so that the time of a launch hardly counts."""
    started = time.perf_counter()
    for _ in range(10):
        result = function(*arguments)
    jax.block_until_ready(result)
    return (time.perf_counter() - started) / 10
