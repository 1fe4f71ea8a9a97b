"""The checks of `test_traced.py` that need JAX; run with KERAS_BACKEND=jax.

Prints the peak of the loss that both engines compute, in bytes.
"""

import keras

from compare_gan import engine, gans

X = keras.KerasTensor((10, 20))
SIZE = 4 * 10 * 20  # Of X, in bytes.


def make_gan() -> gans.ModularGAN:
    """A GAN of dense layers, with a gradient penalty."""
    return gans.ModularGAN((8, 8, 3), None, "dummy_arch", 4, penalties=["wgangp_penalty"])


def loss_bytes(gan: gans.ModularGAN, batch_size: int = 64) -> int:
    """The peak of the discriminator's loss."""
    images = keras.KerasTensor((batch_size, 8, 8, 3))
    batch = {
        "images": images,
        "z": keras.KerasTensor((batch_size, 4)),
        "seed": keras.KerasTensor((2,), "int32"),
    }
    return engine.peak_bytes(
        lambda batch, fakes: gan.discriminator_loss(batch, fakes).total, batch, images
    ).in_order


def check_inner_programs() -> None:
    """What programs inside the traced one take counts, while they run."""
    import jax
    import jax.numpy as jnp

    def twice(x):
        return jnp.exp(jnp.sin(x))

    @jax.custom_vjp
    def with_own_gradient(x):
        return twice(x)

    with_own_gradient.defvjp(lambda x: (twice(x), x), lambda x, d: (d * x,))

    def chosen(x):
        return jax.lax.cond(x[0, 0] > 0, twice, jnp.sin, x)

    def repeated(x):
        return jax.lax.scan(lambda carry, _: (twice(carry), None), x, length=5)[0]

    def scattered(x):
        return x.at[jnp.zeros(3, "int32")].add(1.0)

    def peak(function, *inputs):
        return engine.peak_bytes(function, *inputs).in_order

    def chain(x):
        for _ in range(5):
            x = x @ x
        return x

    def all_kept(x):
        return jnp.concatenate([x @ x for _ in range(5)])

    # The sine is computed in new memory, the exponential in that of the sine.
    assert peak(twice, X) == SIZE
    assert peak(jax.jit(jax.jit(twice)), X) == SIZE
    assert peak(jax.nn.relu, X) == SIZE  # A custom_jvp inside of a jit.
    assert peak(lambda x: jnp.exp(jax.lax.stop_gradient(x)), X) == SIZE
    assert peak(lambda x: jax.lax.stop_gradient(x), X) == 0  # As if the input were returned.
    assert peak(with_own_gradient, X) == SIZE
    assert SIZE <= peak(chosen, X) <= SIZE + 8  # The condition, a few bytes, is there too.
    assert peak(repeated, X) == SIZE  # Of one repetition at a time.
    assert SIZE <= peak(scattered, X) <= 1.5 * SIZE
    square, size = keras.KerasTensor((20, 20)), 4 * 20 * 20
    assert peak(chain, square) == peak(jax.jit(chain), square) == 2 * size
    assert peak(all_kept, square) == 10 * size
    entry = {"x": [keras.KerasTensor((10, 20), "bfloat16")]}
    assert peak(lambda entries: twice(entries["x"][0]), entry) == SIZE / 2


def check_operations() -> None:
    """Those of convolutions and products count, in inner programs too."""
    import jax
    import jax.numpy as jnp

    def function(x):
        images = keras.ops.reshape(x, [1, 10, 20, 1])
        kernel = keras.ops.ones([3, 3, 1, 4])
        return keras.ops.conv(images, kernel, padding="same"), keras.ops.matmul(x.T, x)

    expected = 2 * (10 * 20 * 4 * 9) + 2 * (20 * 20 * 10)
    assert engine.count_operations(function, X) == expected
    assert engine.count_operations(jax.jit(function), X) == expected

    def repeated(x):
        return jax.lax.scan(lambda carry, _: (carry @ jnp.ones([20, 20]), None), x, length=5)[0]

    assert engine.count_operations(repeated, X) == 5 * 2 * (10 * 20 * 20)


def check_nothing_is_computed(gan: gans.ModularGAN) -> None:
    """Losses are traced, not compiled, of any batch size, and variables stay as they are."""
    import jax
    import jax.numpy as jnp

    before = {id(variable): variable.value for variable in gan.discriminator.variables}
    compiled = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    small, large = loss_bytes(gan, 2**20), loss_bytes(gan, 2**21)
    assert 1.9 * small < large < 2.1 * small
    assert not compiled
    assert all(before[id(each)] is each.value for each in gan.discriminator.variables)
    jnp.exp(jnp.zeros(7)).block_until_ready()
    assert compiled  # The listener works.


if __name__ == "__main__":
    check_inner_programs()
    check_operations()
    tested = make_gan()
    check_nothing_is_computed(tested)
    print(loss_bytes(tested))
