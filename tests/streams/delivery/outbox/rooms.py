"""An outbox whose connections are closed as the registry closes them."""

from __future__ import annotations

from streams.delivery.connection import Connection
from streams.delivery.outbox import Outbox
from streams.errors import CloseReason
from tests.streams.builders import MAX_BACKLOG_BYTES, STALL_SECONDS, Recorder

FRAME = b"x" * 100


class Room:
    """An outbox, and the connections that it had closed, as the registry ends them."""

    def __init__(self) -> None:
        self.closed: dict[str, CloseReason] = {}
        self.outbox = Outbox(self.close, max_backlog_bytes=MAX_BACKLOG_BYTES, stall_seconds=STALL_SECONDS)

    def close(self, connection: Connection, reason: CloseReason) -> None:
        self.closed[connection.client_name] = connection.close_reason = reason
        self.outbox.abort(connection)

    def client(self, name: str = "a", *, reading: bool = True) -> tuple[Connection, Recorder]:
        writer = Recorder()
        writer.reading = reading
        return Connection(name, writer), writer


def framed(message: bytes) -> bytes:
    return b"<%b>" % message
