"""Memory of penalties and augmentations: variables that a run saves and restores."""

import copy
from typing import Any, TypeVar

import keras

from compare_gan.errors import UserError

_Part = TypeVar("_Part", bound="Memory")


class Memory:
    """Base of parts that may own variables, such as averages over the steps of a run.

    A subclass creates them in `build` with `add_variable`. A GAN works with a copy of the object,
    which has variables of its own (see `gan.penalties` and `gan.augmentations`). They are part of
    the GAN's state: they go into checkpoints under `<kind>/<name>/<variable>`, and they are equal
    on all replicas because an assigned value is averaged over the replicas.

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
    _builds = False  # Whether `build` is running.

    def __init__(self) -> None:
        self.variables: list[keras.Variable] = []

    def build(self) -> None:
        """Creates the variables: none unless overridden. `prepare` calls it."""

    def prepare(self) -> None:
        """Creates the variables anew with `build`; a GAN calls this on its own copy."""
        self.variables = []
        self._builds = True
        self.build()
        self._builds = False

    def check_name(self) -> None:
        """Raises UserError if the class has no `name`."""
        if not isinstance(getattr(self, "name", None), str):
            raise UserError(
                f"{type(self).__name__} needs a class attribute `name`, a string for logs and "
                "checkpoints."
            )

    def prepared_copy(self: _Part) -> _Part:
        """A copy with variables of its own: one object may configure several GANs."""
        part = copy.copy(self)
        part.prepare()
        return part

    def add_variable(self, name: str, initial_value: Any = 0.0) -> keras.Variable:
        """Creates a float32 variable, of the shape of `initial_value`, that training updates.

        Args:
          name: Name in checkpoints, unique in this object.
          initial_value: Number or array.

        Raises:
          UserError: `build` is not running, or it has made a variable of this name already.
        """
        if not self._builds:
            raise UserError(
                f"{type(self).__name__} calls add_variable outside of build: each GAN has its own "
                "variables, which build creates."
            )
        if name in [variable.name for variable in self.variables]:
            raise UserError(f"{type(self).__name__} has two variables of the name '{name}'.")
        variable = keras.Variable(
            keras.ops.convert_to_tensor(initial_value, "float32"),
            dtype="float32",
            trainable=False,
            name=name,
            aggregation="mean",
        )
        self.variables.append(variable)
        return variable
