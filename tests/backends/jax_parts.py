"""What only JAX can show: building without compilations, computations that are skipped.

`python jax_parts.py` prints JSON with the outcomes.
"""

import json
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "without_tensorflow"))

import gin
import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import ops

from compare_gan import backend, registry
from compare_gan.gans import S3GAN
from compare_gan.penalties import LeCam

_COMPILED = "/jax/core/compile/backend_compile_duration"
compilations = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, *_, **__: compilations.append(event) if event == _COMPILED else None
)


def make_gan(seed):
    random.seed(seed)  # Of which Keras takes the seeds of initializers.
    return S3GAN(
        (32, 32, 3), 10, "resnet_biggan_arch", z_dim=120, rotated_batch_fraction=1,
        conditional=True, project_y=True, use_predictor=True, penalties=[LeCam()],
    )  # fmt: skip


def building():
    for kind in ("architecture", "normalization"):
        registry.load(kind)
    gin.parse_config(
        """
        G.batch_norm_fn = @conditional_batch_norm
        G.spectral_norm = True
        D.spectral_norm = True
        weights.initializer = 'orthogonal'
        resnet_biggan.Generator.ch = 8
        resnet_biggan.Discriminator.ch = 8
        """
    )
    began = time.process_time()
    gan = make_gan(0)
    seconds = time.process_time() - began
    count = len(compilations)
    values, same, other = (
        [np.asarray(v.value) for v in each.variables] for each in (gan, make_gan(0), make_gan(1))
    )
    drawn = [(a, b, c) for a, b, c in zip(values, same, other, strict=True) if np.ptp(a) > 0]
    kernel = next(v for v in gan.generator_variables if v.shape == (3, 3, 32, 32))
    matrix = np.asarray(kernel.value).reshape(-1, 32)
    return {
        "compilations": count,
        "seconds": seconds,
        "variables": len(values),
        "drawn": len(drawn),
        "same": all(np.array_equal(a, b) for a, b, _ in drawn),
        "different": all(np.abs(a - c).max() > 0.001 for a, _, c in drawn),
        "orthogonal": float(np.abs(matrix.T @ matrix - np.eye(32)).max()),
    }


def skipping():
    """Four steps in a compiled scan, in the second and fourth of which a term is due."""
    computed = []
    weight, memory = keras.Variable(3.0, name="weight"), keras.Variable(0.0, name="memory")
    untouched = keras.Variable(0.0, name="untouched")

    def term():
        jax.debug.callback(lambda: computed.append("term"))
        memory.assign(memory + 1)
        untouched.assign(untouched + 1)
        return ops.square(weight.value)

    def step(state, number):
        def loss(value):
            mapping = [(weight, value), (memory, state[0]), (untouched, state[1])]
            with keras.StatelessScope(mapping) as scope:
                found = backend.computed_when(number % 2 == 1, term, [memory], "r1")
            return found, [scope.get_current_value(v) for v in (memory, untouched)]

        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(weight.value)
        return state, (value, gradient)

    run = jax.jit(lambda: jax.lax.scan(step, [jnp.zeros(()), jnp.zeros(())], jnp.arange(4)))
    (kept, dropped), (values, gradients) = jax.block_until_ready(run())
    jax.effects_barrier()
    return {
        "values": values.tolist(),
        "gradients": gradients.tolist(),
        "computed": len(computed),
        "memory": float(kept),
        "untouched": float(dropped),
    }


if __name__ == "__main__":
    print(json.dumps({"building": building(), "skipping": skipping()}))
