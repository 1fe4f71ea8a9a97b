"""An executor for tests of searches: nothing is trained, and scores follow from configs."""

import json
import math
import os
import re

from compare_gan.studies import End

STEPS = 6


class FormulaExecutor:
    """Runs whose FID depends on their config: best are hinge and a rate of 0.001.

    It falls by 0.1 in each step, to its value at step 6.

    Args:
      slots: Number of runs at the same time.

    Attributes:
      names: Names of the runs that were started, in order.
      stops: For each of these starts, the step at which the training is to stop; None = the last.
      diverge: Names of runs that diverge.
      fail: Names of runs that fail.
      interrupt_at: Number of the start at which the user presses Ctrl-C.
    """

    def __init__(self, slots=1):
        self.slots = slots
        self.names = []
        self.stops = []
        self.diverge = ()
        self.fail = ()
        self.interrupt_at = None
        self._running = []

    def start(self, task):
        if self.interrupt_at is not None and len(self.names) == self.interrupt_at:
            raise KeyboardInterrupt
        self.names.append(task.name)
        self.stops.append(int(_option(task, "--stop_step") or 0) or None)
        self._running.append(task)

    def ended(self, seconds):
        return [(task, self._end(task)) for task in iter(self._next, None)]

    def _next(self):
        return self._running.pop(0) if self._running else None

    def _end(self, task):
        folder = _option(task, "--model_dir")
        os.makedirs(folder, exist_ok=True)
        if task.name in self.fail:
            return End(1, 1.0)
        if task.name in self.diverge:
            with open(os.path.join(folder, "DIVERGED"), "w") as file:
                json.dump({"version": 1, "step": 3, "terms": ["loss"]}, file)
            return End(3, 1.0)
        with open(_option(task, "--gin_config")) as file:
            text = file.read()
        step = int(_option(task, "--stop_step") or STEPS)
        rate = float(re.search(r"g_lr = (\S+)", text)[1])
        fid = (math.log10(rate) + 3) ** 2 + ("wasserstein" in text) + 0.1 * (STEPS - step)
        row = {
            "step": step,
            "scores": {"fid": {"mean": fid, "std": 0.0}},
            "protocol": {"seeds": [0]},
            "metrics": ["fid"],
        }
        for name, line in (("results.jsonl", row), ("log.jsonl", {"step": step})):
            with open(os.path.join(folder, name), "a") as file:
                file.write(json.dumps(line) + "\n")
        return End(0, 1.0)

    def interrupt(self):
        """Nothing runs between calls."""


def _option(task, name):
    arguments = task.arguments
    return arguments[arguments.index(name) + 1] if name in arguments else None
