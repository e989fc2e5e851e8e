"""The events of a test: written by the publisher, found again by the readers at fixed places."""

from __future__ import annotations

from datetime import UTC, datetime

from loadtest.errors import ImpossiblePlan
from loadtest.plan import Plan

SEQUENCE_DIGITS = 10
CLOCK_DIGITS = 16
_CLOCK_LABEL = b'","at":"'
# Offsets from the end of the marker, in bytes.
SEQUENCE_END = SEQUENCE_DIGITS
CLOCK_START = SEQUENCE_DIGITS + len(_CLOCK_LABEL)
CLOCK_END = CLOCK_START + CLOCK_DIGITS


def marker(run: str) -> bytes:
    """Give the bytes after which the sequence number of this run's events stands."""
    return b'"run":"%b","sequence":"' % run.encode()


class MessageWriter:
    """Writes PUBLISH commands, or bodies of requests, for the events of one plan, a formatting of bytes each.

    Raises ImpossiblePlan for a size that its own fields alone exceed.
    """

    def __init__(self, plan: Plan) -> None:
        self._run = plan.run
        self._channel = plan.channel.encode()
        self._middle = b""
        self.stamp(0.0)
        self._tail = b'","pad":""}}'
        own_size = len(self.message(plan.client_name(0), 0, 0, 0))
        if plan.size < own_size:
            raise ImpossiblePlan(f"--size is {plan.size}, but an event has at least {own_size} bytes.")
        self._tail = b'","pad":"%b"}}' % (b"x" * (plan.size - own_size))
        if plan.http:
            self._command_head = self._command_end = b""
            return
        self._command_head = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n" % (
            len(self._channel),
            self._channel,
            plan.size,
        )
        self._command_end = b"\r\n"

    def stamp(self, seconds: float) -> None:
        """Set the `timestamp`, a Unix time, of the events from now on."""
        timestamp = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        self._middle = b'","timestamp":"%b","data":{%b' % (timestamp.encode(), marker(self._run))

    def message(self, name: str, index: int, number: int, microseconds: int) -> bytes:
        """Write one event as JSON."""
        return self._fill(self._head(name, index), number, microseconds)

    def head(self, name: str, index: int) -> bytes:
        """Prepare the part of a command that all events of a client share."""
        return self._command_head + self._head(name, index)

    def command(self, head: bytes, number: int, microseconds: int) -> bytes:
        """Write the command that publishes event `number` of a client at a monotonic time."""
        return self._fill(head, number, microseconds) + self._command_end

    def _head(self, name: str, index: int) -> bytes:
        return b'{"clientName":"%b","action":"status","eventId":"load-%b-%05d-' % (
            name.encode(),
            self._run.encode(),
            index,
        )

    def _fill(self, head: bytes, number: int, microseconds: int) -> bytes:
        return b"%b%010d%b%010d%b%016d%b" % (
            head,
            number,
            self._middle,
            number,
            _CLOCK_LABEL,
            microseconds,
            self._tail,
        )
