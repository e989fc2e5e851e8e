"""The queue of clients that the kernel has connected and no server has accepted yet."""

from __future__ import annotations

import functools
import socket
from typing import Any

# Daphne's own is 50: after a restart thousands of devices knock within a second, and
# those who find the queue full try again only after one, three and seven seconds. The
# kernel caps it at net.core.somaxconn.
LISTEN_BACKLOG = 4096


def lengthen_queue(send: Any) -> bool:
    """Lengthen the listen queue of the Daphne server behind an ASGI `send`; say whether there is one.

    The plain `daphne` command has no option for it but an endpoint string, which nobody
    knows by heart. Listening anew on a socket that listens only sets the length.
    """
    request = send.args[0] if isinstance(send, functools.partial) and send.args else None
    transport = getattr(getattr(request, "channel", None), "transport", None)
    listening = getattr(getattr(transport, "server", None), "socket", None)
    if not isinstance(listening, socket.socket):
        return False
    listening.listen(LISTEN_BACKLOG)
    return True
