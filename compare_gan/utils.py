"""Small helpers that several rooms use."""

import inspect
from collections.abc import Callable
from typing import Any


def call_with_requested(fn: Callable, /, **available: Any) -> Any:
    """Calls `fn` with those of the `available` values whose names are parameters of `fn`.

    So a penalty or a normalization asks for what it needs by naming a parameter after it. A
    parameter that has no default and is not available is the caller's mistake: TypeError.
    """
    # A Keras layer is called through __call__, but its parameters are those of call().
    signature = inspect.signature(fn.call if hasattr(fn, "call") else fn)
    requested = {
        name: available[name]
        for name, parameter in signature.parameters.items()
        if name in available and parameter.kind != inspect.Parameter.VAR_KEYWORD
    }
    return fn(**requested)
