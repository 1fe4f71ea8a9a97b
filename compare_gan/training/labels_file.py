"""`training_labels.json`: the labels that a run is trained on."""

import os
from collections.abc import Mapping

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import UserError
from compare_gan.evaluation.provenance import NOT_RECORDED
from compare_gan.labels.files import DESCRIPTION_VERSION, upgrade_training_labels


class LabelsFile:
    """The description of the inferred labels that a run is trained on; `null` for given labels.

    Args:
      path: Path of the file, which need not exist.

    Example:
      >>> from compare_gan.training.labels_file import LabelsFile
      >>> LabelsFile("runs/new/training_labels.json").read() is None
      True
    """

    def __init__(self, path: str):
        self._path = path

    def read(self) -> dict[str, object] | None:
        """The description; None without inferred labels or without the file.

        If the file is damaged, the method is `NOT_RECORDED`.

        Raises:
          UserError: A newer version of this library wrote it.
        """
        try:
            return self._read()
        except DamagedFileError as error:
            damaged.warn_once(f"{error} The labels of the run are not recorded with its scores.")
            return {"version": DESCRIPTION_VERSION, "method": NOT_RECORDED}

    def write(self, description: Mapping[str, object] | None) -> None:
        """Writes a description; a damaged file is set aside.

        Args:
          description: `InferredLabels.description`, or None.
        """
        try:
            self._read()
        except DamagedFileError as error:
            damaged.set_aside(self._path, error.reason, "it is written anew")
        files.write_json(self._path, description)

    def check(self, description: Mapping[str, object] | None, run: str) -> None:
        """Raises UserError if the run has been trained on other labels, as far as is known.

        Args:
          description: `InferredLabels.description`, whose labels may be pending; None without
            inferred labels.
          run: The directory of the run.
        """
        if not os.path.exists(self._path):
            return
        try:
            before = self._read()
        except DamagedFileError as error:
            damaged.warn_once(f"{error} The labels of the run are not compared with these.")
            return
        if before is not None and description is not None and "hash" not in description:
            before.pop("hash", None)  # The other hash is not known yet.
        earlier, now = _in_words(before), _in_words(description)
        if earlier != now:
            raise UserError(
                f"The run in '{run}' was trained on {earlier} until now, the config asks for "
                f"{now}: choose another --model_dir, or delete {os.path.basename(self._path)} "
                "there to continue anyway."
            )

    def _read(self) -> dict[str, object] | None:
        """The description; raises DamagedFileError if the file is damaged."""
        if not os.path.exists(self._path):
            return None
        content = damaged.read_value(self._path)
        if content is None:
            return None
        if not isinstance(content, dict):
            raise DamagedFileError(self._path, "it is not a JSON object")
        description = upgrade_training_labels(content, f"'{self._path}'")
        if not set(content) - {"version"}:
            raise DamagedFileError(self._path, "it describes nothing")
        return description


def _in_words(description: Mapping[str, object] | None) -> str:
    if description is None:
        return "given labels"
    kind = "soft" if description.get("soft") else "hard"
    details = str(description.get("method"))
    if "hash" in description:
        details += f", hash {description['hash']}"
    return f"{kind} labels inferred from {description.get('features')} features ({details})"
