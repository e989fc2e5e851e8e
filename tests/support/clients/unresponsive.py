"""Clients that ask for a stream and then read nothing, and what that costs a pod."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.http import HOST, PATIENCE_SECONDS, request_bytes
from tests.support.pods import Pod
from tests.support.waiting import wait_until

KIB = 1024


@contextlib.contextmanager
def silent_clients(pod: Pod, names: Iterable[str], receive_buffer: int | None = None) -> Iterator[list[socket.socket]]:
    """Open a stream for each name that nobody reads; return once the pod lists them all.

    Without `receive_buffer` the kernel of the client takes as much as it ever would.
    """
    names = list(names)
    before = pod.connections()
    with contextlib.ExitStack() as stack:
        clients = []
        for name in names:
            client = stack.enter_context(socket.socket())
            client.settimeout(PATIENCE_SECONDS)
            if receive_buffer is not None:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.connect((HOST, pod.port))
            client.sendall(request_bytes("GET", f"/events/{name}"))
            clients.append(client)
        wait_until("the silent clients to be listed", lambda: pod.connections() == before + len(names))
        yield clients


def reset_peak_memory(pod: Pod) -> int:
    """Let the peak of a pod's memory begin anew; return the bytes that it holds now."""
    Path(f"/proc/{pod.process.pid}/clear_refs").write_text("5")
    return _status_bytes(pod, "VmRSS")


def peak_memory(pod: Pod) -> int:
    """Return the most bytes that a pod held at any moment since reset_peak_memory()."""
    return _status_bytes(pod, "VmHWM")


def memory(pod: Pod) -> int:
    """Return the bytes that a pod holds now."""
    return _status_bytes(pod, "VmRSS")


def _status_bytes(pod: Pod, name: str) -> int:
    status = Path(f"/proc/{pod.process.pid}/status").read_text()
    match = re.search(rf"(?m)^{name}:\s+(\d+) kB$", status)
    assert match, f"the kernel tells no {name}"
    return int(match[1]) * KIB
