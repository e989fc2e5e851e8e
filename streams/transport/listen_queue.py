"""The queue of clients that the kernel has connected and no server has accepted yet."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

from streams.transport.daphne_writer import request_behind

logger = logging.getLogger("sse.server")

# Daphne's own is 50: after a restart thousands of devices knock within a second, and
# those who find the queue full try again only after one, two and three seconds. The
# kernel caps it at net.core.somaxconn for each listening socket, so a pod has several.
LISTEN_BACKLOG = 4096
LISTENING_SOCKETS = 4


def widen_queue(port: Any, set_options: Callable[[socket.socket], None] = lambda _socket: None) -> list[Any]:
    """Lengthen the queue of a listening port of Twisted, and set more of them beside it; return them all.

    The kernel spreads the clients over all sockets that share an address. The first was
    bound alone, and so is that of any other pod, which is how a second one on the same
    port is still refused. What `set_options` sets, accepted connections inherit. A port
    that was widened stays as it is.
    """
    first = port.socket
    shareable = hasattr(socket, "SO_REUSEPORT") and first.family in (socket.AF_INET, socket.AF_INET6)
    if shareable and first.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT):
        return [port]
    set_options(first)
    # Listening anew on a socket that listens only sets the length.
    first.listen(LISTEN_BACKLOG)
    ports = [port]
    if not shareable:
        return ports
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        ports.extend(_listen_beside(port, set_options) for _ in range(LISTENING_SOCKETS - 1))
    except OSError as error:
        # Such as for a port that only root may listen on, when the pod is root no more.
        logger.warning("Only one socket listens, so fewer clients can wait to be accepted: %s", error)
    return ports


def widen_queue_behind(send: Any) -> bool:
    """Widen the queue of the Daphne server behind an ASGI `send`; say whether there is one.

    The plain `daphne` command has no option for it but an endpoint string, which nobody
    knows by heart.
    """
    transport = getattr(getattr(request_behind(send), "channel", None), "transport", None)
    port = getattr(transport, "server", None)
    if not isinstance(getattr(port, "socket", None), socket.socket):
        return False
    widen_queue(port)
    return True


def _listen_beside(port: Any, set_options: Callable[[socket.socket], None]) -> Any:
    first = port.socket
    with socket.socket(first.family, first.type) as beside:
        beside.setblocking(False)
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            beside.setsockopt(socket.SOL_SOCKET, option, 1)
        if first.family == socket.AF_INET6:
            only = first.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            beside.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only)
        set_options(beside)
        beside.bind(first.getsockname())
        beside.listen(LISTEN_BACKLOG)
        # Twisted listens on a copy of the descriptor.
        return port.reactor.adoptStreamPort(beside.fileno(), first.family, port.factory)
