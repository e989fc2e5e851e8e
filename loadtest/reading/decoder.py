"""Bytes of an HTTP/1.1 response to the frames of its event stream; pure, and cheap for each event."""

from __future__ import annotations

from loadtest.errors import ProtocolError

MAX_HEAD_BYTES = 64 * 1024


class StreamDecoder:
    """Decodes one response, fed with whatever pieces the socket gave.

    Knows chunked bodies (RFC 9112, 7.1) and bodies that last until the end of the
    connection; lines must end in LF, as this service and its peers write them.
    """

    __slots__ = ("_chunked", "_held", "_text", "ended", "status")

    def __init__(self) -> None:
        self.status = 0
        self.ended = False
        self._chunked = False
        self._held = b""
        self._text = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes and return the frames that they complete, without the empty line at their end.

        Raises ProtocolError.
        """
        if self._chunked and not self._held and not self._text and data.endswith(b"\n\n\r\n"):
            # Nearly always: one whole chunk of whole frames, for half the price.
            line_end = data.find(b"\r\n")
            if _chunk_size(data[:line_end]) == len(data) - line_end - 4:
                return data[line_end + 2 : -4].split(b"\n\n")
        if self._held:
            data = self._held + data
            self._held = b""
        if not self.status:
            head, found, data = data.partition(b"\r\n\r\n")
            if not found:
                if len(head) > MAX_HEAD_BYTES:
                    raise ProtocolError("The answer has no end to its headers.")
                self._held = head
                return []
            self._read_head(head)
        body = self._dechunk(data) if self._chunked else data
        if not body:
            return []
        frames = (self._text + body).split(b"\n\n")
        self._text = frames.pop()
        return frames

    def _read_head(self, head: bytes) -> None:
        lines = head.split(b"\r\n")
        version, _, rest = lines[0].partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise ProtocolError("The answer is not HTTP/1.1.")
        self.status = int(rest[:3])
        fields = [line.lower().replace(b" ", b"") for line in lines[1:]]
        self._chunked = b"transfer-encoding:chunked" in fields

    def _dechunk(self, data: bytes) -> bytes:
        """Return the body in data; a chunk that is not whole yet is held back."""
        body = b""
        start, length = 0, len(data)
        while start < length and not self.ended:
            line_end = data.find(b"\r\n", start)
            if line_end < 0:
                break
            size = _chunk_size(data[start:line_end])
            first = line_end + 2
            if first + size + 2 > length:
                break
            body += data[first : first + size]
            start = first + size + 2
            self.ended = size == 0
        self._held = data[start:] if not self.ended else b""
        return body


def _chunk_size(line: bytes) -> int:
    try:
        return int(line, 16)
    except ValueError:
        try:
            return int(line.partition(b";")[0], 16)
        except ValueError:
            raise ProtocolError("The answer's chunks are broken.") from None
