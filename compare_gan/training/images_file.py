"""`training_images.json`: the images of a data set that a run is trained on, if it chose some."""

import base64
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from compare_gan import damaged, engine, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError, check_version
from compare_gan.training.hosts import raise_in_all

_VERSION = 1


class ImagesFile:
    """The training images that `dataset.densest_fraction` has chosen for a run.

    Args:
      path: Path of the file, which need not exist.

    Example:
      >>> from compare_gan.training.images_file import ImagesFile
      >>> ImagesFile("runs/new/training_images.json").read() is None
      True
    """

    def __init__(self, path: str):
        self._path = path

    def __str__(self) -> str:
        return self._path

    def read(self) -> tuple[dict[str, Any], np.ndarray] | None:
        """The options of the choice and the chosen images, bool [n]; None if nothing is recorded.

        A damaged file counts as none, with a warning.

        Raises:
          UserError: A newer version of this library wrote it.
        """
        try:
            return self._read()
        except DamagedFileError as error:
            damaged.warn_once(f"{error} The training images are chosen anew.")
            return None

    def write(self, options: Mapping[str, Any], chosen: np.ndarray) -> None:
        """Writes a choice; a damaged file is set aside.

        Args:
          options: `DatasetOptions.choice`.
          chosen: The chosen training images, bool [n].
        """
        try:
            self._read()
        except DamagedFileError as error:
            damaged.set_aside(self._path, error.reason, "it is written anew")
        bits = np.packbits(chosen).tobytes()
        content = {
            "version": _VERSION,
            "options": dict(options),
            "images": len(chosen),
            "chosen": int(chosen.sum()),
            "hash": files.digest(bits),
            "bits": base64.b64encode(bits).decode("ascii"),
        }
        files.write_json(self._path, content)

    def _read(self) -> tuple[dict[str, Any], np.ndarray] | None:
        if not os.path.exists(self._path):
            return None
        content = damaged.read_object(self._path)
        check_version(f"'{self._path}'", content, _VERSION)
        try:
            bits = base64.b64decode(content["bits"], validate=True)
            if files.digest(bits) != content["hash"]:
                raise ValueError("other bits")
            chosen = np.unpackbits(np.frombuffer(bits, np.uint8), count=int(content["images"]))
            return dict(content["options"]), chosen.astype(bool)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedFileError(self._path, "its bits are not those that it states") from error


class ImageChoice:
    """Decides on which images a run is trained: those of its file, otherwise newly chosen ones.

    The rounding of features, and with it the choice, depends on the machine. A resumed run must see
    the images that it was begun with, and all hosts the same ones: the first host decides.

    Args:
      file: The record of the run.
      strategy: The devices of the training; None = this process alone.
      refuses_others: Whether a record of other options or another number of images is an error;
        otherwise it is not used.

    Example:
      >>> import numpy as np
      >>> from compare_gan.training.images_file import ImageChoice, ImagesFile
      >>> choice = ImageChoice(ImagesFile("runs/new/training_images.json"))
      >>> choice({"densest_fraction": 0.5}, 2, lambda: np.array([False, True])).tolist()
      [False, True]
    """

    def __init__(
        self,
        file: ImagesFile,
        strategy: engine.Strategy | None = None,
        refuses_others: bool = False,
    ):
        self._file = file
        self._strategy = strategy
        self._refuses_others = refuses_others

    def __call__(
        self, options: Mapping[str, Any], count: int, choose: Callable[[], np.ndarray]
    ) -> np.ndarray:
        """The chosen training images, bool [count].

        Args:
          options: `DatasetOptions.choice`.
          count: Number of training images of the data set.
          choose: Function that computes the choice.

        Raises:
          UserError: The record is of other options or images, or the first host has failed.
        """
        strategy = self._strategy
        if strategy is None or not engine.on_several_hosts(strategy):
            return self._decide(options, count, choose)
        chosen, refusal = np.zeros(count, bool), None
        if engine.is_chief(strategy):
            try:
                chosen = self._decide(options, count, choose)
            except (UserError, OSError) as error:
                refusal = error
        raise_in_all(refusal, strategy)
        return engine.of_first(chosen.astype(np.int32), strategy).astype(bool)

    def _decide(
        self, options: Mapping[str, Any], count: int, choose: Callable[[], np.ndarray]
    ) -> np.ndarray:
        recorded = self._file.read()
        if recorded is None:
            return choose()
        earlier, chosen = recorded
        if earlier == options and len(chosen) == count:
            return chosen
        if self._refuses_others:
            raise UserError(
                f"'{self._file}' records a choice from {len(chosen)} images with {earlier}, and "
                f"the config asks for one from {count} images with {dict(options)}: choose another "
                "--model_dir, or add --allow_config_change to choose anew."
            )
        return choose()
