"""A Daphne that is not ours, as the plain command and runserver start it, mended where it fails by itself.

Import this module after daphne.server, which decides how Twisted is loaded.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from daphne.http_protocol import WebRequest
from daphne.server import Server
from twisted.web.http import HTTPChannel

from streams.http.answers import BODY_TOO_LARGE
from streams.server.heads import stream_headers
from streams.server.refusals import BROKEN, HEAD_TOO_LARGE, LINE_TOO_LONG, announces_too_much, refusal
from streams.server.request import Request

daphnes_process = WebRequest.process
daphnes_log_action = Server.log_action
twisteds_header_received = HTTPChannel.headerReceived


def mend(headers_read: tuple[bytes, ...]) -> None:
    """Let streams be read as ours reads them, and Daphne and Twisted answer in JSON.

    They would say it on a page, in one line, or by closing the connection. Neither has another
    place for it than its classes. `headers_read` are all that a stream reads of a head.
    """
    WebRequest.headers_read = headers_read
    WebRequest.process = _process
    Server.log_action = _log_action
    WebRequest.basic_error = Request.basic_error
    WebRequest.handle_exception = Request.handle_exception
    HTTPChannel.headerReceived = _header_received
    HTTPChannel.lineLengthExceeded = _refuse_line
    HTTPChannel._respondToBadRequestAndDisconnect = _refuse_broken  # noqa: SLF001 - Twisted's only place


def _process(request: WebRequest) -> Any:
    # Daphne refuses a header with bytes that UTF-8 has, which a Last-Event-ID may be.
    headers = stream_headers(request, request.headers_read)
    return daphnes_process(request) if headers is None else Request.open_stream(request, headers)


def _log_action(server: Server, protocol: str, action: str, details: dict[str, Any]) -> None:
    # A client may have put a token into the query.
    daphnes_log_action(server, protocol, action, {**details, "path": details["path"].partition("?")[0]})


def _header_received(channel: HTTPChannel, line: bytes) -> bool:
    if announces_too_much(line):
        _refuse(channel, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, BODY_TOO_LARGE)
        return False
    taken: bool = twisteds_header_received(channel, line)
    return taken


def _refuse_line(channel: HTTPChannel, _line: bytes) -> None:
    if hasattr(channel, "_command"):
        _refuse(channel, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, HEAD_TOO_LARGE)
    else:
        _refuse(channel, HTTPStatus.REQUEST_URI_TOO_LONG, LINE_TOO_LONG)


def _refuse_broken(channel: HTTPChannel) -> None:
    _refuse(channel, HTTPStatus.BAD_REQUEST, BROKEN)


def _refuse(channel: HTTPChannel, status: HTTPStatus, sentence: str) -> None:
    channel.transport.write(refusal(status, sentence))
    channel.loseConnection()
