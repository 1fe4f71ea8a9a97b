"""Assignments to variables, held back."""

from typing import Any

import keras


class Scope(keras.StatelessScope):
    """A stateless scope with the values of the one around it, which it leaves as they are.

    Args:
      values: Pairs of a variable and its value inside.

    Example:
      >>> import keras
      >>> from compare_gan.backend.scopes import Scope
      >>> variable = keras.Variable(1.0)
      >>> with Scope() as scope:
      ...     _ = variable.assign(2.0)
      >>> float(scope.get_current_value(variable)), float(variable)
      (2.0, 1.0)
    """

    def __init__(self, values: Any = ()):
        super().__init__(values)
        self.state_mapping: dict[int, Any]
        self._assigned: dict[int, keras.Variable] = {}

    @property
    def assigned(self) -> list[keras.Variable]:
        """The variables that were assigned inside, in the order of their first assignment."""
        return list(self._assigned.values())

    def __enter__(self) -> "Scope":
        super().__enter__()
        if self.original_scope is not None:
            self.state_mapping = self.original_scope.state_mapping | self.state_mapping
        return self

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        self._assigned[id(update[0])] = update[0]
        super().add_update(update)
