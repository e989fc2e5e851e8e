"""When the machine of a client acknowledges what it got.

A kernel puts an acknowledgement off until the program reads, unless nothing came for longer
than its retransmission timeout, 200 ms. On one machine an acknowledgement at once is made, and
taken, in the time of the server that sends; one put off in that of the client. So a server
looks cheaper to a test whose clients hear something more often than real ones do.
"""

from __future__ import annotations

import socket

# From <linux/tcp.h>; older kernels do not have it.
TCP_RTO_MIN_US = 45
# Far below half of the kernel's TCP_ATO_MIN, 20 ms, which then is what counts.
RTO_MICROSECONDS = 5_000


def acknowledge_at_once(connection: socket.socket) -> None:
    """Have a socket that is not connected yet acknowledge at once what comes after 20 ms of silence, not 200.

    Raises OSError where the kernel cannot.
    """
    connection.setsockopt(socket.IPPROTO_TCP, TCP_RTO_MIN_US, RTO_MICROSECONDS)


def can_acknowledge_at_once() -> bool:
    """Say whether this kernel can do that."""
    with socket.socket() as probe:
        try:
            acknowledge_at_once(probe)
        except OSError:
            return False
    return True
