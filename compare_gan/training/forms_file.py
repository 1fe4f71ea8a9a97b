"""`convolutions.json`: the forms in which the convolutions of a run are computed."""

import os
from collections.abc import Mapping

from compare_gan import damaged, files
from compare_gan.damaged import DamagedFileError
from compare_gan.errors import check_version

_VERSION = 1


class FormsFile:
    """The forms of large convolutions that `run_config.autotune` has chosen for a run.

    Which form is fastest depends on the machine and on chance, and forms differ in rounding: a
    resumed run uses the forms that it was begun with.

    Args:
      path: Path of the file, which need not exist.

    Example:
      >>> import os, tempfile
      >>> from compare_gan.training.forms_file import FormsFile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = FormsFile(os.path.join(folder, "convolutions.json"))
      ...     file.write({"conv 64x16x16x128, kernel 3x3x128x128, stride 1": "winograd"})
      ...     file.read()
      {'conv 64x16x16x128, kernel 3x3x128x128, stride 1': 'winograd'}
    """

    def __init__(self, path: str):
        self._path = path

    def read(self) -> dict[str, str]:
        """The name of the form of each convolution; none if nothing is recorded.

        A damaged file counts as none, with a warning.

        Raises:
          UserError: A newer version of this library wrote it.
        """
        try:
            return self._read()
        except DamagedFileError as error:
            damaged.warn_once(f"{error} The forms of convolutions are chosen anew.")
            return {}

    def write(self, forms: Mapping[str, str]) -> None:
        """Writes the forms; a damaged file is set aside.

        Args:
          forms: Name of the form by convolution, see `backend.autotune.Tuner.forms`.
        """
        try:
            self._read()
        except DamagedFileError as error:
            damaged.set_aside(self._path, error.reason, "it is written anew")
        files.write_json(self._path, {"version": _VERSION, "forms": dict(forms)})

    def _read(self) -> dict[str, str]:
        if not os.path.exists(self._path):
            return {}
        content = damaged.read_object(self._path)
        check_version(f"'{self._path}'", content, _VERSION)
        forms = content.get("forms")
        if not isinstance(forms, dict) or not all(isinstance(each, str) for each in forms.values()):
            raise DamagedFileError(self._path, "it does not name the form of each convolution")
        return forms
