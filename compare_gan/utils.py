"""Small helpers that several rooms use."""

import inspect
import os
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


def write_text(folder: str, name: str, content: str) -> None:
    """Writes the file `name` of `folder` whole or not at all; makes the folder if need be."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path + ".tmp", "w") as file:
        file.write(content)
    os.replace(path + ".tmp", path)
