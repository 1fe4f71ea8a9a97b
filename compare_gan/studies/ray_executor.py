"""The executor on a Ray cluster: a process on one of its nodes for each task."""

import contextlib
import dataclasses
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from compare_gan import interruption, locks
from compare_gan.errors import UserError, check_positive_integer
from compare_gan.studies.executor import End, Task
from compare_gan.studies.local import LocalExecutor
from compare_gan.studies.shares import Share
from compare_gan.version import code_version

_POLL_SECONDS = 0.2
_FAILED, _MISTAKE = 1, 2  # Exit statuses.
# Variables of this process that decide what is trained and where its data is.
_FORWARDED = ("KERAS_BACKEND", "COMPARE_GAN_CACHE", "TFDS_DATA_DIR")


@dataclasses.dataclass(frozen=True)
class Room:
    """What one run takes of a node.

    Attributes:
      cpus: Number of cores.
      gpus: 1, a fraction where several runs share a GPU, or 0 where the cluster has none.
    """

    cpus: int
    gpus: float = 0.0

    def on(self, node: Mapping[str, float]) -> int:
        """The number of runs that a node has room for.

        Args:
          node: Its resources as Ray counts them, by name.
        """
        runs = int(node.get("CPU", 0) // self.cpus)
        return min(runs, int(node.get("GPU", 0) / self.gpus + 1e-6)) if self.gpus else runs


def divide_nodes(nodes: Sequence[Mapping[str, float]], workers: int) -> Room:
    """The room of each of several runs: as many cores as possible, and a GPU where there are some.

    Args:
      nodes: Resources of each node as Ray counts them, by name.
      workers: Number of runs at the same time.

    Example:
      >>> from compare_gan.studies.ray_executor import divide_nodes
      >>> divide_nodes([{"CPU": 8}, {"CPU": 4}], workers=3)
      Room(cpus=4, gpus=0.0)
      >>> divide_nodes([{"CPU": 8, "GPU": 1}, {"CPU": 8, "GPU": 1}], workers=4)
      Room(cpus=4, gpus=0.5)
    """
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    share = 1 / -(-workers // gpus) if gpus else 0.0
    most = int(max((node.get("CPU", 0) for node in nodes), default=1))
    rooms = (Room(cpus, share) for cpus in range(most, 1, -1))
    enough = (room for room in rooms if sum(map(room.on, nodes)) >= workers)
    return next(enough, Room(1, share))


@dataclasses.dataclass
class _Running:
    task: Task
    process: Any  # The actor.
    node: Any  # Reference to the name of its node, which is there once the actor is.
    end: Any
    started: float


class RayExecutor:
    """Runs each task as a process on a node of a Ray cluster, which divides its cores and GPUs.

    The folder of the task's log and all that its arguments name have to be on a disk that all nodes
    share, under the same path; nodes need the version of the library that runs here. A process
    works in the directory of this one, if its node has it, and ends with its actor: it gets
    SIGTERM, so that a run saves its state, unless Ray kills it before.

    Args:
      address: Address of the cluster: `host:port`, or `auto` for that which RAY_ADDRESS or this
        machine has.
      workers: Number of processes at the same time; None = one per GPU of the cluster, or one per
        node.
      environment: Environment variables of the processes beside those of their nodes; None =
        KERAS_BACKEND, COMPARE_GAN_CACHE and TFDS_DATA_DIR of this process.
      command: Command to which the arguments of a task are appended; None = `compare_gan`.

    Raises:
      UserError: Ray is not installed, no cluster answers, or the number of workers is not a
        positive integer.

    Example:
      >>> from compare_gan.studies import RayExecutor
      >>> executor = RayExecutor("head-node:6379", workers=16)  # doctest: +SKIP
    """

    def __init__(
        self,
        address: str = "auto",
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] | None = None,
    ):
        if workers is not None:
            check_positive_integer("--workers", workers)
        self._ray = _connected(address)
        nodes = self._nodes()
        if workers is None:
            gpus = int(sum(node.get("GPU", 0) for node in nodes))
            workers = gpus or sum(node.get("CPU", 0) >= 1 for node in nodes) or 1
        self._workers = workers
        self._room = divide_nodes(nodes, workers)
        if environment is None:
            environment = {name: os.environ[name] for name in _FORWARDED if name in os.environ}
        self._setting = (os.getcwd(), dict(environment), command, self._room, code_version())
        self._actor = self._ray.remote(_NodeProcess).options(
            num_cpus=self._room.cpus,
            num_gpus=self._room.gpus,
            max_concurrency=2,  # It can be interrupted while it runs.
        )
        self._running: list[_Running] = []

    @property
    def slots(self) -> int:
        """Number of processes at the same time: fewer while nodes are missing, but at least one."""
        return max(1, min(self._workers, sum(map(self._room.on, self._nodes()))))

    def _nodes(self) -> list[Mapping[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]

    def start(self, task: Task) -> None:
        """Starts a task, as soon as a node has room for it."""
        _append(task.log, "")  # The node looks for it.
        process = self._actor.remote(*self._setting)
        node = process.host.remote()
        # The lock of the study stays with this process: descriptors cannot be sent.
        end = process.run.remote(dataclasses.replace(task, descriptors=()))
        self._running.append(_Running(task, process, node, end, time.monotonic()))

    def ended(self, seconds: float) -> list[tuple[Task, End]]:
        """The tasks that have ended since the last call; waits for one, at most these seconds."""
        if not self._running:
            time.sleep(seconds)
            return []
        by_end = {running.end: running for running in self._running}
        ended, _ = self._ray.wait(list(by_end), timeout=seconds)
        found = []
        for running in [by_end[each] for each in ended]:
            found.append((running.task, self._end(running)))
            self._running.remove(running)
        return found

    def _end(self, running: _Running) -> End:
        errors = self._ray.exceptions
        wall = time.monotonic() - running.started
        try:
            end, sentence = self._ray.get(running.end)
        except errors.RayTaskError as error:
            end, sentence = End(_FAILED, wall), f"Error: {_brief(error)}"
        except errors.RayError as error:
            gpu = wall if self._room.gpus else 0.0
            end = End(_FAILED, wall, None, gpu, is_lost=True)
            sentence = f"Error: {self._node(running)} was lost ({_brief(error)})"
        if sentence:
            _append(running.task.log, f"{sentence}\n")
        return end

    def _node(self, running: _Running) -> str:
        if not self._is_placed(running):
            return "Its node"
        try:
            return f"The node {self._ray.get(running.node)}"
        except self._ray.exceptions.RayError:
            return "Its node"

    def _is_placed(self, running: _Running) -> bool:
        return bool(self._ray.wait([running.node], timeout=0)[0])

    def interrupt(self) -> None:
        """Asks all running tasks to save and end; `ended` reports their ends."""
        for running in self._running:
            if self._is_placed(running):
                running.process.interrupt.remote()
            else:
                self._ray.kill(running.process)  # It waits for room on a node.


class _NodeProcess:
    """The process of a task, on its node."""

    def __init__(
        self,
        folder: str,
        environment: Mapping[str, str],
        command: Sequence[str] | None,
        room: Room,
        version: str,
    ):
        with contextlib.suppress(OSError):  # It matters for relative paths alone.
            os.chdir(folder)
        share = Share(None, room.cpus, shares_gpu=0 < room.gpus < 1)
        own = {**os.environ, **share.environment(), **environment}
        self._version = version
        self._executor = LocalExecutor(1, own, command)
        self._lock = threading.Lock()
        self._is_interrupted = False

    def host(self) -> str:
        return locks.host()

    def run(self, task: Task) -> tuple[End, str]:
        """Runs a task; returns its end, and a sentence about an obstacle."""
        obstacle = self._obstacle(task)
        if obstacle:
            return End(_MISTAKE, 0.0), f"Error: The node {locks.host()} {obstacle}"
        with self._lock:
            if self._is_interrupted:
                return End(-signal.SIGTERM, 0.0), ""
            self._executor.start(task)
        while True:
            with self._lock:
                ended = self._executor.ended(0)
            if ended:
                return ended[0][1], ""
            time.sleep(_POLL_SECONDS)

    def _obstacle(self, task: Task) -> str:
        if not os.path.exists(task.log):
            return (
                f"does not see '{task.log}': the directory of the study has to be on a disk that "
                "all nodes share, under the same path."
            )
        own = code_version()
        if own != self._version:
            return f"has version {own} of compare_gan, and the study runs version {self._version}."
        return ""

    def interrupt(self) -> None:
        with self._lock:
            self._is_interrupted = True
            self._executor.interrupt()


def _connected(address: str) -> Any:
    """The module of Ray, connected to a cluster."""
    try:
        import ray
    except ImportError as error:
        raise UserError(
            f'Ray cannot be imported ({error}): `pip install "compare_gan[ray]"` installs it.'
        ) from error
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            ignore_reinit_error=True,
        )
    except Exception as error:  # Ray has no class of its own for most of what can go wrong.
        raise UserError(
            f"No Ray cluster can be used at '{address}' ({_brief(error)}): `ray start --head` "
            "starts one, and prints the address for --address."
        ) from error
    finally:
        # Ray replaces it by one that ends the process.
        if threading.current_thread() is threading.main_thread():
            interruption.restore({signal.SIGTERM: before})
    return ray


def _brief(error: Exception) -> str:
    """The last line of a message, which has the reason."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()


def _append(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)
