"""Processes that start at once: forks of a process in which TensorFlow has been imported.

The import takes five seconds of processor time, more than most commands of tests. What matters only
when it is imported, its own messages for example, needs a process of its own.
"""

import concurrent.futures
import contextlib
import gc
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import sys
from typing import Any

_ROOT = pathlib.Path(__file__).parents[2]


class Fork:
    """A started process, with the methods of `subprocess.Popen` that tests use.

    As a context manager it is killed, and its output closed, at the end of the block.

    Attributes:
      pid: Its number.
      returncode: Its exit status, or the negative number of the signal that ended it; None until
        `poll`, `wait` or `communicate` has found that it has ended.
      stdout: Its standard output, as text.
      stderr: Its standard error, as text.
    """

    def __init__(self, status: int, stdout: int, stderr: int):
        self._status = os.fdopen(status)
        self.pid = int(self._status.readline())
        self.returncode: int | None = None
        self.stdout = os.fdopen(stdout, errors="surrogateescape")
        self.stderr = os.fdopen(stderr, errors="surrogateescape")

    def __enter__(self) -> "Fork":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        self.stdout.close()
        self.stderr.close()

    def poll(self) -> int | None:
        """The exit status if the process has ended."""
        return self._poll(0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, for which it waits."""
        status = self._poll(timeout)
        if status is None:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
        return status

    def _poll(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], timeout)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What the process has said until its end."""
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            said = [threads.submit(stream.read) for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except BaseException:
                self.kill()  # Ends the threads.
                raise
        self.stdout.close()
        self.stderr.close()
        return said[0].result(), said[1].result()

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends the process at once."""
        self.send_signal(signal.SIGKILL)


class Forks:
    """Starts the process that is forked with the first fork, and ends it with `close`."""

    def __init__(self) -> None:
        self._server: subprocess.Popen | None = None

    def start(self, *arguments: str, code: str | None = None, **environment: str) -> Fork:
        """Starts `compare_gan` with these arguments, or code that finds them in `sys.argv`."""
        request = {"arguments": arguments, "code": code, "environment": dict(os.environ)}
        request["environment"] |= environment
        pipes = [os.pipe() for _ in range(3)]
        if self._server is None:
            self._begin()
        ends = [end for _, end in pipes]
        text = json.dumps(request).encode()
        self._socket.sendall(len(text).to_bytes(4, "big") + text)
        socket.send_fds(self._socket, [b"+"], ends)
        for end in ends:
            os.close(end)
        try:
            return Fork(*(end for end, _ in pipes))
        except ValueError:  # No number came.
            raise RuntimeError(self._server.communicate()[1].decode()) from None

    def _begin(self) -> None:
        self._socket, other = socket.socketpair()
        self._server = subprocess.Popen(
            [sys.executable, __file__, str(other.fileno())],
            cwd=_ROOT,
            pass_fds=[other.fileno()],
            stdin=subprocess.DEVNULL,
            # Pipes, as those of the forks: Python's streams know whether they can seek.
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        other.close()

    def close(self) -> None:
        """Ends the process that is forked."""
        if self._server is not None:
            self._socket.close()
            self._server.communicate()
            self._server = None


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """A request and its descriptors: for the number and exit status, and for both outputs."""
    if not (size := connection.recv(4, socket.MSG_WAITALL)):
        return None
    text = connection.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    return json.loads(text), list(socket.recv_fds(connection, 1, 3)[1])


def _serve(connection: socket.socket) -> dict[str, Any] | None:
    """Starts a process for each request; returns the request in it, None at the end."""
    running: dict[int, int] = {}
    wakeup, end = os.pipe()
    os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(end)
    while True:
        ready, _, _ = select.select([connection, wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with contextlib.suppress(BrokenPipeError):  # Nobody wants to know any more.
                        os.write(running[pid], b"%d\n" % os.waitstatus_to_exitcode(status))
                    os.close(running.pop(pid))
        if connection in ready:
            received = _receive(connection)
            if received is None:
                return None
            request, (status, *outputs) = received
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for number, output in enumerate(outputs, start=1):
                    os.dup2(output, number)
                for each in (status, *outputs, *running.values(), wakeup, end):
                    os.close(each)
                connection.close()
                return request
            running[pid] = status
            os.write(status, b"%d\n" % pid)
            for output in outputs:
                os.close(output)


def _main() -> None:
    sys.path[:1] = []  # The folder of this file; that of the library comes last, as in `main`.
    sys.path.append(str(_ROOT))
    import keras  # noqa: F401
    import matplotlib.figure  # noqa: F401
    import tensorflow  # noqa: F401

    import compare_gan.training.modes  # noqa: F401
    from compare_gan.main import main

    gc.collect()
    gc.freeze()
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = ["compare_gan", *request["arguments"]]
    if request["code"] is None:
        main()
    else:
        exec(compile(request["code"], "<code>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    _main()
