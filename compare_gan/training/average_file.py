"""`average.json`: the average of the weights in a checkpoint that `compare_gan ema` wrote."""

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import check_version

_VERSION = 1


class AverageFile:
    """The description of the average in a checkpoint that training has not written.

    Args:
      path: Path of the file, which need not exist.

    Example:
      >>> from compare_gan.training.average_file import AverageFile
      >>> AverageFile("runs/new/average.json").read(step=100) is None
      True
    """

    def __init__(self, path: str):
        self._path = path

    def write(self, step: int, weights: str) -> None:
        """Writes the file.

        Args:
          step: Step of the checkpoint.
          weights: Description of the average, for provenance.
        """
        files.write_json(self._path, {"version": _VERSION, "step": step, "weights": weights})

    def read(self, step: int) -> str | None:
        """The description of the average in the checkpoint of a step; None = that of training.

        Raises:
          UserError: A newer version of this library wrote the file.
        """
        try:
            content = damaged.read_object(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except DamagedFileError as error:
            damaged.warn_once(f"{error} It is not known which average the checkpoint holds.")
            return "ema, not recorded which"
        check_version(f"'{self._path}'", content, _VERSION)
        return str(content.get("weights")) if content.get("step") == step else None
