"""`model.json`: the properties of a run's data set that sampling needs."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError, check_version
from compare_gan.natural_order import in_natural_order
from compare_gan.training.experiment import Experiment
from compare_gan.training.restored import Description

_VERSION = 1  # Older files have none.


class DataProperties(Protocol):
    """The properties of a data set that sampling and resuming need."""

    @property
    def name(self) -> str | None: ...
    @property
    def image_shape(self) -> tuple[int, int, int]: ...
    @property
    def num_classes(self) -> int | None: ...
    @property
    def class_names(self) -> Sequence[str] | None: ...
    @property
    def num_train(self) -> int | None: ...
    @property
    def background(self) -> str | None: ...


class ModelFile:
    """The description of the data set that a run is trained on.

    Args:
      path: Path of the file, which need not exist.

    Example:
      >>> from compare_gan.training.model_file import ModelFile
      >>> ModelFile("runs/new/model.json").written() is None
      True
    """

    def __init__(self, path: str):
        self._path = path

    def written(self) -> Description | None:
        """The content of the file; None if there is none or it is damaged.

        Raises:
          UserError: A newer version of this library wrote the file.
        """
        try:
            return self._read()
        except UserError as error:
            if not isinstance(error, DamagedFileError):
                raise
        except (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError):
            pass
        return None

    def read(self) -> Description:
        """The content of the file; if it is damaged or missing, the data set is read.

        Raises:
          UserError: The data set cannot be read either, or a newer version of this library wrote
            the file.
        """
        reason = "it is missing"
        try:
            return self._read()
        except FileNotFoundError:
            pass
        except DamagedFileError as error:
            reason = error.reason
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            reason = "it lacks an entry or has one of another type"
        try:
            description = _describe(Experiment.from_gin().dataset)
        except UserError as error:
            reason += f", and its data set cannot be read instead ({str(error).rstrip('.')})"
            raise DamagedFileError(self._path, reason) from error
        warning = f"'{self._path}' is not used ({reason}): its data set has been read instead."
        names = description.class_names or []
        if is_sorted_anew(names):
            warning += (
                f" Its classes are taken to be {as_list(names)} in this order; in a run that an "
                f"earlier version began they are {as_list(sorted(names))}."
            )
        damaged.warn_once(warning)
        return description

    def write(self, dataset: DataProperties) -> None:
        """Replaces the file."""
        values = {"version": _VERSION, **dataclasses.asdict(_describe(dataset))}
        files.write_json(self._path, values)

    def differences(self, dataset: DataProperties) -> list[str]:
        """What differs in this data set, old → new; nothing if the old one is not known."""
        before, now = self.written(), _describe(dataset)
        if before is None or before.dataset is None:
            return []
        names = [field.name for field in dataclasses.fields(now)]
        # Files of earlier versions lack them, and another data set has others anyway.
        if before.num_train is None or before.dataset != now.dataset:
            names = [name for name in names if name not in ("num_train", "background")]
        return [
            f"{name}: {getattr(before, name)!r} → {getattr(now, name)!r}"
            for name in names
            if getattr(before, name) != getattr(now, name)
        ]

    def _read(self) -> Description:
        content = damaged.read_object(self._path)
        check_version(f"'{self._path}'", content, _VERSION)
        return Description.from_json(content)


def _describe(dataset: DataProperties) -> Description:
    height, width, channels = dataset.image_shape
    names = dataset.class_names
    return Description(
        dataset.name,
        (int(height), int(width), int(channels)),
        None if dataset.num_classes is None else int(dataset.num_classes),
        None if names is None else [str(name) for name in names],
        None if dataset.num_train is None else int(dataset.num_train),
        dataset.background,
    )


def is_sorted_anew(names: Sequence[str] | None) -> bool:
    """Whether classes are in natural order that earlier versions sorted in another one, as text.

    Example:
      >>> from compare_gan.training.model_file import is_sorted_anew
      >>> is_sorted_anew(["1", "2", "10"]), is_sorted_anew(["1", "2"]), is_sorted_anew(None)
      (True, False, False)
    """
    found = list(names or ())
    return found == in_natural_order(found) != sorted(found)


def as_list(names: Sequence[str]) -> str:
    """The first of some names, for messages."""
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
