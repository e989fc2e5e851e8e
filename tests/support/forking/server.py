"""`python -m tests.support.forking.server DESCRIPTOR`: forks a program for each request on a socket.

A request is JSON, with four descriptors beside it: for the program's input, its output, its errors, and its exit
status.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

MAX_REQUEST_BYTES = 1 << 20
# Twisted's reactor has descriptors, which each process needs for itself.
OWN = ("sseproject", "tests", "__main__", "daphne.server", "daphne.apps")
OURS, SERVER = ("streams", "dashboard", "deploy"), "streams.server"
REACTOR = "reactor"
SETTINGS = "DJANGO_SETTINGS_MODULE"
# What imports one of these as it is imported is left to the program: the settings read its environment.
BARRED = ("twisted.internet.reactor", "sseproject.settings")


def main() -> None:
    # Settings are the programs' own.
    os.environ.pop(SETTINGS, None)
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        preload()
        gc.collect()
        gc.freeze()
        program = Server(asking).serve()
    if program is not None:
        become(program)


class Program(NamedTuple):
    """What a child is to be, and the descriptors of its input, its output and its errors."""

    request: Mapping[str, Any]
    streams: tuple[int, ...]


def preload() -> None:
    """Import what a pod imports and no environment has a say in: a child says what that is."""
    read, write = os.pipe()
    if not (child := os.fork()):
        with os.fdopen(write, "w") as out:
            out.write("\n".join(names_of_a_pod()))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        names = told.read().split()
    if os.waitpid(child, 0)[1]:
        sys.exit("The modules of a pod cannot be imported, as is said above.")
    sys.modules.update(dict.fromkeys(BARRED))  # type: ignore[arg-type]  # as Python's own documentation says it
    for name in names:
        # Models need settings too, which are the pod's.
        with contextlib.suppress(Exception):
            importlib.import_module(name)
    for name in BARRED:
        del sys.modules[name]


def names_of_a_pod() -> list[str]:
    """Return the names of all modules of a pod that may be imported before its environment is known.

    Of our own these are what a pod imports whichever command starts it: `streams.server` chooses the event loop.
    """
    os.environ[SETTINGS] = "sseproject.settings"
    importlib.import_module("sseproject.asgi")
    ours = [name for name in sys.modules if name.startswith(OURS) and not name.startswith(SERVER)]
    importlib.import_module("streams.server.daphne")
    others = [name for name in sys.modules if not name.startswith((*OURS, *OWN)) and REACTOR not in name]
    return [*others, *ours]


class Server:
    """Answers each request with the process' number, and writes its status where that is asked for."""

    def __init__(self, asking: socket.socket) -> None:
        self._asking = asking
        self._selector = selectors.DefaultSelector()

    def serve(self) -> Program | None:
        """Serve until whoever asks is gone; in each child return what it is to be."""
        self._selector.register(self._asking, selectors.EVENT_READ)
        # Collected later, a selector would close the number of a descriptor that is the program's by then.
        with self._selector:
            while True:
                for key, _events in self._selector.select():
                    if key.fileobj is not self._asking:
                        self._tell_end(key.fd, *key.data)
                        continue
                    request, descriptors, _flags, _address = socket.recv_fds(self._asking, MAX_REQUEST_BYTES, 4)
                    if not request:
                        self._end_all()
                        return None
                    *streams, status = descriptors
                    if not self._fork(streams, status):
                        return Program(json.loads(request), tuple(streams))

    def _end_all(self) -> None:
        """Leave nothing behind where whoever asked was ended before it could."""
        for key in self._selector.get_map().values():
            if key.fileobj is not self._asking:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(key.data[0], signal.SIGKILL)

    def _fork(self, streams: Sequence[int], status: int) -> int:
        if child := os.fork():
            for stream in streams:
                os.close(stream)
            self._selector.register(os.pidfd_open(child), selectors.EVENT_READ, (child, status))
            self._asking.send(str(child).encode())
        return child

    def _tell_end(self, descriptor: int, child: int, status: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        # Nobody may be there to read it.
        with contextlib.suppress(BrokenPipeError):
            os.write(status, str(code).encode())
        os.close(status)


def become(program: Program) -> None:
    """Be a program from here on; Python ends as it does behind any other, so nothing may follow."""
    request, streams = program
    os.setsid()
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    sys.argv = request["arguments"]
    sys.path[0] = str(Path(sys.argv[0]).parent.resolve())
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
