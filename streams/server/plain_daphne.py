"""A Daphne that is not ours, as the plain command and runserver start it: what it refuses by itself is JSON, too.

Import this module after daphne.server, which decides how Twisted is loaded.
"""

from __future__ import annotations

from http import HTTPStatus

from daphne.http_protocol import WebRequest
from twisted.web.http import HTTPChannel

from streams.server.http_channel import BROKEN, HEAD_TOO_LARGE, LINE_TOO_LONG, Request, refusal


def answer_in_json() -> None:
    """Let Daphne and Twisted say in JSON what they say on a page, in one line, or by closing the connection."""
    WebRequest.basic_error = Request.basic_error
    WebRequest.handle_exception = Request.handle_exception
    HTTPChannel._respondToBadRequestAndDisconnect = _refuse_broken  # noqa: SLF001 - Twisted has no other place for it
    HTTPChannel.lineLengthExceeded = _refuse_line


def _refuse_broken(channel: HTTPChannel) -> None:
    channel.transport.write(refusal(HTTPStatus.BAD_REQUEST, BROKEN))
    channel.loseConnection()


def _refuse_line(channel: HTTPChannel, _line: bytes) -> None:
    if hasattr(channel, "_command"):
        channel.transport.write(refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HEAD_TOO_LARGE))
    else:
        channel.transport.write(refusal(HTTPStatus.REQUEST_URI_TOO_LONG, LINE_TOO_LONG))
    channel.loseConnection()
