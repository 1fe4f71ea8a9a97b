"""The processes of one run: they wait for each other at the start, and notice when one is lost.

Engines wait in native code that hears no signal, without a word, and answer the death of a process
with a traceback or not at all. Here, before an engine connects the processes, each of them connects
to the first one; the connections then stay open for signs of life.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Sequence

from compare_gan import interruption
from compare_gan.errors import LostProcessError, UserError

_log = logging.getLogger(__name__)

EXIT_STATUS = 4

_WAITING_SECONDS = 300.0  # As JAX.
_RETRY_SECONDS = 1.0
_BEAT_SECONDS = 5.0
# Native code may keep Python from running, and so from sending signs of life, for a while.
_SILENCE_SECONDS = 90.0
# Time to end by themselves, for processes whose own operation has failed.
_GRACE_SECONDS = 15.0
# An error may come before the news of the loss that has caused it.
_NEWS_SECONDS = 3.0

_GREETING = "compare_gan process {} of {}\n"
_BEGIN, _ALIVE, _BYE = b"begin\n", b"alive\n", b"bye\n"
# Errors of TensorFlow's collective operations; other operations do not raise them.
_COLLECTIVE_ERRORS = ("AbortedError", "CancelledError", "DeadlineExceededError", "UnavailableError")


class Connections:
    """The connections of this process: of the first one to all others, of another one to the first.

    A thread sends and expects signs of life. If a process is lost, a command (see
    `interruption.Watch`) ends with status 4; a program that uses the library finds it in its log.

    Args:
      names: The names of all processes, for messages.
      links: A connection by the number of the process at its other end.
      ends_with_first: Whether the engine ends a process when the first one is lost.

    Attributes:
      active: The connections of this process; None if it is alone.
      lost: A sentence about the process that was lost; empty as long as there is none.
      end_agreed: Whether all processes have agreed to end after a signal.
    """

    active: "Connections | None" = None

    def __init__(
        self,
        names: Sequence[str],
        links: dict[int, socket.socket],
        ends_with_first: bool = False,
    ):
        self.lost = ""
        self.end_agreed = False
        self._names = names
        self._links = links
        self._ends_with_first = ends_with_first
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peers", daemon=True)
        self._thread.start()

    def close(self, orderly: bool) -> None:
        """Ends the connections.

        Args:
          orderly: Whether the others may go on without this process.
        """
        self._ended.set()
        self._thread.join(2 * _BEAT_SECONDS)
        for link in self._links.values():
            if orderly:
                _send(link, _BYE)
            link.close()
        if Connections.active is self:
            Connections.active = None

    def _watch(self) -> None:
        heard = dict.fromkeys(self._links, time.monotonic())
        said = dict.fromkeys(self._links, b"")
        next_beat = 0.0
        while self._links and not self._ended.is_set():
            asleep = time.monotonic()
            if asleep >= next_beat:
                next_beat = asleep + _BEAT_SECONDS
                for link in self._links.values():
                    _send(link, _ALIVE)
            numbers = {link: number for number, link in self._links.items()}
            for link in select.select(list(numbers), [], [], _BEAT_SECONDS / 5)[0]:
                number, received = numbers[link], _receive(link)
                heard[number] = time.monotonic()
                said[number] = said[number][-len(_BYE) :] + received
                if _BYE in said[number]:
                    self._links.pop(number).close()
                elif not received:
                    return self._lose(number, "has died")
            now = time.monotonic()
            if now - asleep > _SILENCE_SECONDS / 2:  # This process was stopped itself.
                heard = dict.fromkeys(self._links, now)
            for number in self._links:
                if now - heard[number] > _SILENCE_SECONDS:
                    return self._lose(number, f"has not answered for {now - heard[number]:.0f} s")
        return None

    def _lose(self, number: int, event: str) -> None:
        if self._ended.is_set():
            return
        self.lost = (
            f"{self._names[number]} {event}, so this process ends too; restart all processes to "
            "continue from the last checkpoint"
        )
        if interruption.Watch.active is None:
            _log.error("%s.", self.lost)
        # The sentence comes before an engine's abort with a dump of its stack.
        elif not self._ended.wait(0 if self._ends_with_first and not number else _GRACE_SECONDS):
            _end_after_threads(f"Error: {self.lost}.")


def meet(address: str, index: int, names: Sequence[str], ends_with_first: bool = False) -> None:
    """Waits until all processes of this run are there; `Connections.active` then watches them.

    Does nothing for one process, or if they have met already.

    Args:
      address: HOST:PORT of the first process. The port is free again afterwards, for the engine.
      index: The number of this process, from 0.
      names: The names of all processes, for messages.
      ends_with_first: Whether the engine ends a process when the first one is lost.

    Raises:
      LostProcessError: A process has not come within five minutes.
      UserError: The port is in use.

    Example:
      >>> from compare_gan import peers
      >>> peers.meet("localhost:1234", 0, ["worker 0"])
      >>> peers.Connections.active is None
      True
    """
    if len(names) == 1 or Connections.active is not None:
        return
    _log.info("Waiting for the other processes of this run (at most five minutes).")
    host, _, port = address.rpartition(":")
    if index:
        links = {0: _find_first((host.strip("[]"), int(port)), index, names)}
    else:
        links = _await_others(int(port), names)
    for link in links.values():
        link.settimeout(_BEAT_SECONDS)
    Connections.active = Connections(names, links, ends_with_first)


def explain(error: Exception) -> str:
    """The sentence about the lost process that has caused an error; empty if none has.

    Args:
      error: An error of an engine.

    Example:
      >>> from compare_gan import peers
      >>> peers.explain(ValueError())
      ''
    """
    connections = Connections.active
    if connections is None:
        return ""
    deadline = time.monotonic() + _NEWS_SECONDS
    while not connections.lost and time.monotonic() < deadline:
        time.sleep(0.05)
    if not connections.lost and type(error).__name__ in _COLLECTIVE_ERRORS:
        return "Another process of this run does not respond, so this one ends too."
    return f"{connections.lost}." if connections.lost else ""


def leave(status: int) -> None:
    """Parts from the other processes at the end of a command.

    Args:
      status: Exit status. The others go on after 0, and after a signal that all have agreed on.

    Example:
      >>> from compare_gan import peers
      >>> peers.leave(0)
    """
    connections = Connections.active
    if connections is None:
        return
    agreed = status == interruption.EXIT_STATUS and connections.end_agreed
    orderly = status == 0 or agreed
    connections.close(orderly)
    if connections.lost:
        os._exit(status)  # Engines wait for the others at their end.
    if not orderly:
        timer = threading.Timer(2 * _GRACE_SECONDS, os._exit, (status,))
        timer.daemon = True
        timer.start()


def _await_others(port: int, names: Sequence[str]) -> dict[int, socket.socket]:
    """The first process's connections to all others."""
    links: dict[int, socket.socket] = {}
    deadline = time.monotonic() + _WAITING_SECONDS
    try:
        server = _listening(port, backlog=len(names))
    except OSError as error:
        raise UserError(
            f"Port {port} of the first process of this run cannot be used: {error.strerror}."
        ) from error
    with server:
        server.settimeout(_RETRY_SECONDS)
        while len(links) < len(names) - 1:
            with contextlib.suppress(TimeoutError):
                link, _ = server.accept()
                number = _greeted(link, names)
                if number is None:
                    link.close()
                else:
                    links[number] = link  # The last of its name: others have been started anew.
            if time.monotonic() > deadline:
                missing = [name for i, name in enumerate(names) if i and i not in links]
                for link in links.values():
                    link.close()
                raise LostProcessError(
                    f"{', '.join(missing)} of this run did not connect within "
                    f"{_WAITING_SECONDS:.0f} s, so this process ends."
                )
    for link in links.values():
        _send(link, _BEGIN)
    return links


def _listening(port: int, backlog: int) -> socket.socket:
    """A server at this port for IPv6 and IPv4, as engines have them, where there is IPv6."""
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # IPv6 is switched off, or the port is in use.
            return socket.create_server(
                ("", port), family=socket.AF_INET6, backlog=backlog, dualstack_ipv6=True
            )
    return socket.create_server(("", port), backlog=backlog)


def _greeted(link: socket.socket, names: Sequence[str]) -> int | None:
    """The number of the process that has connected; None if it is none of this run."""
    link.settimeout(_RETRY_SECONDS)
    greeting = _receive(link).decode(errors="replace")
    numbers = [i for i in range(1, len(names)) if greeting == _GREETING.format(i, len(names))]
    return numbers[0] if numbers else None


def _find_first(address: tuple[str, int], index: int, names: Sequence[str]) -> socket.socket:
    """The connection to the first process, which all others have reached too."""
    deadline = time.monotonic() + _WAITING_SECONDS
    reason = ""
    while (left := deadline - time.monotonic()) > 0:
        try:
            link = socket.create_connection(address, timeout=_RETRY_SECONDS)
            _send(link, _GREETING.format(index, len(names)).encode())
            while time.monotonic() < deadline and _is_quiet(link):
                pass
            if _receive(link, len(_BEGIN)) == _BEGIN:
                return link
            link.close()  # It has ended, or trains already.
            reason = "it does not wait for this process"
        except OSError as error:
            reason = error.strerror or str(error)
        time.sleep(min(_RETRY_SECONDS, left))
    raise LostProcessError(
        f"{names[0]} of this run, at {address[0]}:{address[1]}, did not answer within "
        f"{_WAITING_SECONDS:.0f} s ({reason}), so this process ends."
    )


def _is_quiet(link: socket.socket) -> bool:
    return not select.select([link], [], [], _RETRY_SECONDS)[0]


def _send(link: socket.socket, message: bytes) -> None:
    with contextlib.suppress(OSError):  # Whether the other is alive is decided by what it sends.
        link.sendall(message)


def _receive(link: socket.socket, size: int = 1000) -> bytes:
    try:
        return link.recv(size)
    except OSError:
        return b""


def _end_after_threads(sentence: str) -> None:
    """Ends the process when threads that are no daemons, such as a checkpoint's, have ended."""
    deadline = time.monotonic() + 2 * _GRACE_SECONDS
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
    interruption.end_at_once(sentence, EXIT_STATUS)
