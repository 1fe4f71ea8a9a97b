"""The engine of JAX: `jax.jit` over a mesh of all devices, with Keras variables as its state."""

from compare_gan.engine.jax.distribution import (
    Devices,
    accelerators,
    agree_on,
    expects_several_hosts,
    is_chief,
    make_strategy,
    of_first,
    on_host,
    on_several_hosts,
    peers,
    use_devices,
)
from compare_gan.engine.jax.loop import Loop
from compare_gan.engine.jax.operations import count_operations
from compare_gan.engine.jax.peak import peak_bytes
from compare_gan.engine.jax.update import update

__all__ = [
    "Devices",
    "Loop",
    "accelerators",
    "agree_on",
    "count_operations",
    "expects_several_hosts",
    "is_chief",
    "make_strategy",
    "of_first",
    "on_host",
    "on_several_hosts",
    "peak_bytes",
    "peers",
    "update",
    "use_devices",
]
