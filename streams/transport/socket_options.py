"""What the kernel is told of a stream's socket, and what it tells: tcp(7)."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

# A client that stops reading may hide this much in the kernel, which doubles it for its
# own bookkeeping; the default would be megabytes.
SEND_BUFFER_BYTES = 32 * 1024

# Offsets into struct tcp_info of <linux/tcp.h>.
_TCP_INFO_BYTES = 64
_UNACKED_OFFSET = 24
_LAST_ACK_OFFSET = 56


class SocketOptions(NamedTuple):
    """How the kernel is to look after a stream's socket."""

    heartbeat_seconds: float
    dead_after_seconds: float

    def set_on(self, stream: socket.socket) -> None:
        """Bound the kernel's buffer, and let it notice a dead peer should the heartbeat not."""
        # An event waits for no acknowledgement of the one before.
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, max(1, round(self.heartbeat_seconds)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, round(self.dead_after_seconds / 3)))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
        # Later than the heartbeat's own check, which knows the reason and says it.
        timeout_ms = round(1000 * (self.heartbeat_seconds + self.dead_after_seconds))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout_ms)


def silent_seconds(stream: socket.socket) -> float:
    """Return for how long bytes sent have gone without any acknowledgement, or 0."""
    info = stream.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    (unacked,) = struct.unpack_from("I", info, _UNACKED_OFFSET)
    (last_ack_ms,) = struct.unpack_from("I", info, _LAST_ACK_OFFSET)
    return last_ack_ms / 1000 if unacked else 0.0
