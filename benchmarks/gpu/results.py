"""The results of a run: one JSON file, written after every stage."""

import json
import os
import pathlib
import time
from typing import Any

WAITING, RUNNING, MEASURED = "waiting", "running", "measured"
NO_TIME = "dropped: the time budget was spent"


class Results:
    """The file `results.json` in a folder.

    Attributes:
      data: Its content. `cases` has one record for each case by name, in the order of the plan.
    """

    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        self.path = self.folder / "results.json"
        self.data: dict[str, Any] = {"cases": {}}
        self.load()

    def load(self) -> None:
        """Reads the file again, if there is one."""
        if self.path.exists():
            self.data = json.loads(self.path.read_text())

    def save(self) -> None:
        """Writes the file; a reader sees the old content or the new."""
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.data, indent=1) + "\n")
        os.replace(temporary, self.path)

    def plan(self, names: list[str]) -> None:
        """Lists the cases to measure; those that an earlier run has measured stay as they are."""
        known = self.data["cases"]
        records = {name: known.get(name, {"status": WAITING}) for name in names}
        for record in records.values():
            if record["status"] != MEASURED:
                record["status"] = WAITING
        others = {name: record for name, record in known.items() if name not in records}
        self.data["cases"] = records | others
        self.save()

    def with_status(self, status: str) -> list[str]:
        """Names of the cases with a status."""
        return [name for name, r in self.data["cases"].items() if r["status"] == status]

    def start(self, name: str) -> dict[str, Any]:
        """The new record of a case that is measured now.

        An earlier one, of a run that was cut off, stays in it until there is more.
        """
        old = self.data["cases"][name]
        record = self.data["cases"][name] = {"status": RUNNING, "started": time.time()}
        if old.get("rounds"):
            record["earlier"] = old
        self.save()
        return record

    def end(self, status: str, old: str = RUNNING) -> None:
        """Gives all cases that have one status another one."""
        for name in self.with_status(old):
            self.data["cases"][name]["status"] = status
        self.save()
