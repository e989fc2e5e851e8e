"""A parser of server-sent events that keeps to the letter of the specification.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event as EventSource would dispatch it, and how many data lines it came on."""

    type: str
    data: str
    last_event_id: str = ""
    data_lines: int = 1

    def json(self) -> Any:
        return json.loads(self.data)


@dataclass(slots=True)
class EventStreamParser:
    """Turns the bytes of a stream into events; comments are kept, since heartbeats are comments."""

    last_event_id: str = ""
    retry_ms: int | None = None
    comments: list[str] = field(default_factory=list)
    _decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )
    _text: str = ""
    _started: bool = False
    _id_buffer: str = ""
    _type: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take bytes as they come; return the events that they complete."""
        text = self._text + self._decoder.decode(chunk)
        if not self._started and text:
            self._started = True
            text = text.removeprefix("\ufeff")
        events = []
        start = 0
        while True:
            ends = [at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0]
            if not ends:
                break
            end = min(ends)
            after = end + 1
            if text[end] == "\r":
                if after == len(text):
                    # The line feed of a pair may be in the next chunk.
                    break
                after += text[after] == "\n"
            event = self._line(text[start:end])
            if event is not None:
                events.append(event)
            start = after
        self._text = text[start:]
        return events

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, colon, value = line.partition(":")
        if colon and not name:
            self.comments.append(value.removeprefix(" "))
            return None
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id":
            if "\0" not in value:
                self._id_buffer = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_ms = int(value)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_event_id = self._id_buffer
        data, event_type = self._data, self._type
        self._data, self._type = [], ""
        if not data:
            return None
        return ServerSentEvent(event_type or "message", "\n".join(data), self.last_event_id, len(data))


def parse(*chunks: bytes) -> list[ServerSentEvent]:
    """Parse a whole stream, given in any pieces."""
    parser = EventStreamParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]
