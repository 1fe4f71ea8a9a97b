"""The program of a function, as JAX traces it: nothing is computed or compiled."""

from collections.abc import Callable
from typing import Any

import jax
import keras
from jax.extend.core import Jaxpr


def program_of(function: Callable[..., Any], *inputs: Any) -> Jaxpr:
    """The operations of a function in the order in which it makes them.

    Args:
      function: Function of tensors that returns tensors. Variables that it assigns do not change.
      inputs: Shapes and dtypes of its arguments: `keras.KerasTensor`, or dicts and lists of them.
    """

    def stateless(*args: Any) -> Any:
        with keras.StatelessScope():
            return function(*args)

    specs = keras.tree.map_structure(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), inputs)
    return jax.make_jaxpr(stateless)(*specs).jaxpr
