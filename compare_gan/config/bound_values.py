"""The values that the text of a config binds, read without gin's registry."""

from tokenize import TokenError
from typing import Any

from gin import config_parser

from compare_gan.config import gin_internals


def bound_values(text: str) -> dict[str, Any]:
    r"""The values that a config binds, by parameter; nothing is imported, no name is checked.

    References are strings (`@hinge`), macros are replaced by their values, and a module that is
    imported is a parameter `import <module>`.

    Args:
      text: Text of a config without `include`.

    Raises:
      ValueError: It is not a config.
      UserError: A dict has a key twice.

    Example:
      >>> from compare_gan.config.bound_values import bound_values
      >>> bound_values("STEPS = 10\noptions.training_steps = %STEPS\nloss.fn = @hinge")
      {'options.training_steps': 10, 'loss.fn': '@hinge'}
    """
    values: dict[str, Any] = {}
    macros: dict[str, Any] = {}
    try:
        for statement in gin_internals.StrictParser(text):
            if isinstance(statement, config_parser.ImportStatement):
                values[f"import {statement.module}"] = "@imported"
            elif isinstance(statement, config_parser.BindingStatement):
                scope = f"{statement.scope}/" if statement.scope else ""
                if statement.arg_name:
                    key = f"{scope}{statement.selector}.{statement.arg_name}"
                    values[key] = statement.value
                else:
                    macros[f"%{scope}{statement.selector}"] = statement.value
    except (SyntaxError, LookupError, TypeError, RecursionError, TokenError) as error:
        raise ValueError(f"This is not a gin config: {error}.") from error
    return {key: _without_macros(value, macros) for key, value in values.items()}


def _without_macros(value: Any, macros: dict[str, Any], depth: int = 0) -> Any:
    if isinstance(value, (list, tuple)):
        return [_without_macros(each, macros, depth) for each in value]
    if isinstance(value, dict):
        return {key: _without_macros(each, macros, depth) for key, each in value.items()}
    if isinstance(value, str) and value in macros and depth < len(macros):
        return _without_macros(macros[value], macros, depth + 1)
    return value
