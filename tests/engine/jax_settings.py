"""Applies the settings of JAX in a process that runs on it; prints JSON with the outcomes.

`python jax_settings.py FOLDER`
"""

import json
import logging
import os
import sys

import jax
import jax.numpy as jnp
import keras
from jax._src import xla_bridge

from compare_gan import engine
from compare_gan.commands.start import start_engine
from compare_gan.errors import UserError

folder = sys.argv[1]
found = {}

os.environ["XLA_FLAGS"] = "--xla_gpu_deterministic_ops=false"
engine.make_deterministic()
engine.make_deterministic()
found["flags"] = os.environ["XLA_FLAGS"]
found["cache by default"] = engine.use_compilation_cache()
found["JAX had started"] = xla_bridge.backends_are_initialized()

hits = []
jax.monitoring.register_event_listener(
    lambda event, **_: hits.append(event) if event.endswith("/cache_hits") else None
)


def compiles(name):
    """Compiles a function; returns the number of programs that came from the disk instead."""
    hits.clear()
    jax.clear_caches()
    jax.block_until_ready(jax.jit(lambda x: jnp.tanh(x @ x))(jnp.ones((4, 4))))
    found[name] = len(hits) > 0


compiles("default, cold")
compiles("default, warm")
own = os.path.join(folder, "own")
found["own"] = engine.use_compilation_cache(own) == own and os.path.isdir(own)
compiles("own, cold")
compiles("own, warm")
found["stays"] = engine.use_compilation_cache(True) == own
found["off"] = engine.use_compilation_cache(False)
compiles("off, warm")
found["empty"] = engine.use_compilation_cache("")
messages = []
handler = logging.Handler()
handler.emit = lambda record: messages.append(record.getMessage())
logging.getLogger("compare_gan").addHandler(handler)
open(os.path.join(folder, "file"), "w").close()
found["not a folder"] = engine.use_compilation_cache(os.path.join(folder, "file", "x"))
found["message"] = messages

# Too late for a GPU; a CPU needs no flag.
del os.environ["XLA_FLAGS"]
engine.make_deterministic()
found["flags on CPU"] = os.environ.get("XLA_FLAGS")
jax.default_backend = lambda: "gpu"
try:
    engine.make_deterministic()
except UserError as error:
    found["error"] = str(error)

start_engine()
keras.utils.set_random_seed(0)
found["TensorFlow"] = "tensorflow" in sys.modules

print(json.dumps(found))
