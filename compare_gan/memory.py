"""Memory of penalties and augmentations: variables that a run saves and restores."""

from typing import Any

import keras

from compare_gan.errors import UserError


class Memory:
    """Base of parts that may own variables, such as averages over the steps of a run.

    A subclass creates them in `build` with `add_variable`. They are part of the GAN's state: they
    go into checkpoints under `<kind>/<name>/<variable>`, and they are equal on all replicas because
    an assigned value is averaged over the replicas.

    Attributes:
      name: Name in checkpoints; a subclass sets it.
      variables: The variables, in the order of their creation.

    Example:
      >>> from compare_gan.memory import Memory
      >>> class Counter(Memory):
      ...     name = "counter"
      ...     def build(self):
      ...         self.count = self.add_variable("count")
      >>> counter = Counter()
      >>> counter.prepare()
      >>> [variable.name for variable in counter.variables]
      ['count']
    """

    name: str

    def __init__(self) -> None:
        self.variables: list[keras.Variable] = []
        self._is_built = False

    def build(self) -> None:
        """Creates the variables: none unless overridden. Called once, by `prepare`."""

    def prepare(self) -> None:
        """Calls `build`, once; the GAN does this when it is constructed.

        Raises:
          UserError: Another GAN did it before: its variables cannot serve both.
        """
        if self._is_built and self.variables:
            raise UserError(
                f"This {type(self).__name__} is already part of another GAN: make one for each."
            )
        self._is_built = True
        self.build()

    def add_variable(self, name: str, initial_value: Any = 0.0) -> keras.Variable:
        """Creates a float32 variable, of the shape of `initial_value`, that training updates.

        Args:
          name: Name in checkpoints, unique in this object.
          initial_value: Number or array.
        """
        variable = keras.Variable(
            keras.ops.convert_to_tensor(initial_value, "float32"),
            dtype="float32",
            trainable=False,
            name=name,
            aggregation="mean",
        )
        self.variables.append(variable)
        return variable
