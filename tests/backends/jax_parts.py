"""What only JAX can show: building without compilations, computations that are skipped.

`python jax_parts.py WEIGHTS.npz` writes the initial weights of a GAN and prints JSON with the
outcomes.
"""

import json
import os
import random
import sys
import time

if os.environ.get("KERAS_BACKEND") == "jax":  # Makes every import of TensorFlow fail.
    sys.path.insert(0, os.path.join(os.path.dirname(__file__), "without_tensorflow"))

import gin
import keras
import numpy as np
from keras import ops

from compare_gan import backend, registry
from compare_gan.gans import S3GAN
from compare_gan.penalties import LeCam

_COMPILED = "/jax/core/compile/backend_compile_duration"


def make_gan(seed):
    for kind in ("architecture", "normalization"):
        registry.load(kind)
    gin.clear_config()
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
    random.seed(seed)  # Of which Keras takes the seeds of initializers.
    return S3GAN(
        (32, 32, 3), 10, "resnet_biggan_arch", z_dim=120, rotated_batch_fraction=1,
        conditional=True, project_y=True, use_predictor=True, penalties=[LeCam()],
    )  # fmt: skip


def weights(gan):
    return {f"{i}/{v.path}": ops.convert_to_numpy(v.value) for i, v in enumerate(gan.variables)}


def building(path):
    import jax

    compilations = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compilations.append(event) if event == _COMPILED else None
    )
    began = time.process_time()
    gan = make_gan(0)
    seconds, count = time.process_time() - began, len(compilations)
    values, same, other = (weights(each) for each in (gan, make_gan(0), make_gan(1)))
    np.savez(path, **values)
    drawn = [name for name, value in values.items() if np.ptp(value) > 0]
    return {
        "compilations": count,
        "seconds": seconds,
        "drawn": len(drawn),
        "same": all(np.array_equal(values[name], same[name]) for name in drawn),
        "different": all(np.abs(values[name] - other[name]).max() > 0.001 for name in drawn),
    }


def skipping():
    """Four steps in a compiled scan, in the second and fourth of which a term is due."""
    import jax
    import jax.numpy as jnp

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
    print(json.dumps({"building": building(sys.argv[1]), "skipping": skipping()}))
