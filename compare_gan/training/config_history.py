"""The configs of a run: `config.gin`, the newest; `configs/<step>.gin`, all that it ever had."""

import dataclasses
import os
import re

from compare_gan import damaged, files
from compare_gan.config.changes import Change, changes, is_config
from compare_gan.training.optimization import OptimizationOptions

NEWEST = "config.gin"
_FOLDER = "configs"
_NAME = re.compile(r"(\d+)(?:-\d+)?\.gin")
_HEADER = re.compile(r"# Config (\d+) of this run, from step \d+\.\n")


@dataclasses.dataclass(frozen=True)
class _Config:
    """A config that the run had.

    Attributes:
      number: Its number among the configs of the run, from 1.
      step: The finished steps when the run took it.
      name: Name of its file, in the folder of configs.
      text: Its bindings.
    """

    number: int
    step: int
    name: str
    text: str


class ConfigHistory:
    """The configs of a run.

    A run may be started again with another config, and from an earlier step than that at which it
    took the one before. The files are therefore numbered in their first line, and none is replaced:
    the second config from step 500 is `configs/500-2.gin`.

    Args:
      path: The directory of the run.

    Example:
      >>> import tempfile
      >>> from compare_gan.training.config_history import ConfigHistory
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     configs = ConfigHistory(folder)
      ...     configs.record("options.z_dim = 4", step=0)
      ...     configs.record("options.z_dim = 4", step=300)  # Started again, as before.
      ...     configs.record("options.z_dim = 8", step=500)
      ...     [configs.name_of(step) for step in (0, 500, 501)]
      ['configs/0.gin', 'configs/0.gin', 'configs/500.gin']
    """

    def __init__(self, path: str):
        self._run = path
        self._newest = os.path.join(path, NEWEST)
        self._folder = os.path.join(path, _FOLDER)

    @property
    def damage(self) -> str:
        """A clause that says why `config.gin` cannot be read; empty if it can."""
        try:
            text = damaged.read_text(self._newest)
        except damaged.DamagedFileError as error:
            return error.reason
        except OSError as error:
            return error.strerror or "it cannot be read"
        if text.strip():
            return ""
        return "it is empty" if os.path.exists(self._newest) else "it is missing"

    @property
    def path(self) -> str | None:
        """The file with the newest config that can be read; None if there is none.

        A damaged or lost `config.gin` is in `configs/` too.
        """
        reason, configs = self.damage, self._configs()
        if not reason:
            return self._newest
        if not configs:
            return None
        path = os.path.join(self._folder, configs[-1].name)
        damaged.warn_once(
            f"'{self._newest}' is damaged: {reason}. The bindings are taken from '{path}'."
        )
        return path

    def changes(self, config_text: str, since: int | None = None) -> list[Change]:
        """The differences of a config from an earlier one of the run; none if it had none.

        Args:
          config_text: All bindings of the config, see `config.config_text`.
          since: Step of a checkpoint, for the differences from the config that led to it; None =
            from the newest one.
        """
        config = None if since is None else _of(self._configs(), since)
        path = self.path
        if path is None and not os.path.exists(self._newest):
            return []  # A new run.
        before = config.text if config else _read(path) if path else ""
        if not is_config(before):
            damaged.warn_once(
                f"The config of the run in '{self._run}' is not compared with this one."
            )
            return []
        return changes(before, config_text, OptimizationOptions)

    def record(self, config_text: str, step: int) -> None:
        """Saves the config with which the run goes on.

        Args:
          config_text: All bindings of the config.
          step: The finished steps.
        """
        configs = self._configs()
        before = _read(self._newest)
        if not configs and step and is_config(before):  # A run of an earlier version.
            configs = [self._write(1, 0, before)]
        current = _of(configs, step + 1)
        is_newest = bool(configs) and current is configs[-1]  # Not after going back.
        if current is None or not is_newest or current.text != config_text:
            self._write(len(configs) + 1, step, config_text)
        self._write_newest(config_text)

    def _write_newest(self, config_text: str) -> None:
        reason = self.damage
        if reason and os.path.exists(self._newest):
            damaged.set_aside(self._newest, reason, "it is written anew")
        files.write_text(self._newest, config_text)

    def complete(self, config_text: str) -> None:
        """Writes a damaged or lost `config.gin` anew, from `configs/` if it is there.

        Args:
          config_text: All bindings of a config, for a run that has no other.
        """
        known = [config for config in self._configs() if is_config(config.text)]
        if known:
            self._write_newest(known[-1].text)
        else:
            self.record(config_text, step=0)

    def name_of(self, step: int) -> str:
        """The file, relative to the directory, with the config that a checkpoint comes from.

        Args:
          step: The step of the checkpoint.
        """
        config = _of(self._configs(), step)
        return NEWEST if config is None else f"{_FOLDER}/{config.name}"

    def path_for(self, step: int) -> str | None:
        """The path of the config that the networks of a checkpoint are rebuilt from.

        It is the newest one, unless the run has gone on since with a config that differs in
        something that is not free to change. None if the run has no config.

        Args:
          step: The step of the checkpoint.
        """
        newest, configs = self.path, self._configs()
        config = _of(configs, step)
        if newest is None or config is None or config == configs[-1]:
            return newest
        if not (is_config(config.text) and is_config(_read(newest))):
            return newest
        found = changes(config.text, _read(newest), OptimizationOptions)
        if all(change.is_free for change in found):
            return newest
        return os.path.join(self._folder, config.name)

    def _configs(self) -> list[_Config]:
        """The configs in the order in which the run took them."""
        if not os.path.isdir(self._folder):
            return []
        configs = []
        for name in os.listdir(self._folder):
            match = _NAME.fullmatch(name)
            text = _read(os.path.join(self._folder, name)) if match else ""
            header = _HEADER.match(text)
            if match:
                text = text[header.end() :] if header else text
                configs.append(_Config(int(header[1]) if header else 0, int(match[1]), name, text))
        return sorted(configs, key=lambda config: (config.number, config.step))

    def _write(self, number: int, step: int, text: str) -> _Config:
        name, copies = f"{step}.gin", 1
        while os.path.lexists(os.path.join(self._folder, name)):
            copies += 1
            name = f"{step}-{copies}.gin"
        header = f"# Config {number} of this run, from step {step}.\n"
        files.write_text(os.path.join(self._folder, name), header + text)
        return _Config(number, step, name, text)


def _of(configs: list[_Config], step: int) -> _Config | None:
    """The config that led to a step: the last one that the run took before it."""
    return next((each for each in reversed(configs) if each.step < max(step, 1)), None)


def _read(path: str) -> str:
    """The text of a file; empty if there is none, or if it is no text."""
    try:
        return damaged.read_text(path)
    except (damaged.DamagedFileError, IsADirectoryError):
        return ""
