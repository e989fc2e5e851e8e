"""One request in Daphne's terms, started and answered without what Daphne does for any other application.

Import this module after daphne.server, which decides how Twisted is loaded.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from daphne.http_protocol import WebRequest
from twisted.python.failure import Failure
from twisted.web.http import Request as TwistedRequest

from streams.http.answers import JSON_HEADERS, SERVICE_FAILED, error_body
from streams.server.heads import stream_headers
from streams.wire.timestamps import http_date

if TYPE_CHECKING:
    # Which makes one for each request.
    from streams.server.http_channel import RequestReader


class Request(WebRequest):
    """A request, with a short way for those that ask for a stream.

    Daphne validates, copies and decodes every header of a request for applications that
    it knows nothing of. The stream's is known: it reads a few headers and no body.
    """

    def __init__(self, channel: RequestReader, queued: object = None) -> None:
        # As Daphne does, whose way to Twisted's class is a module that warns of its old names.
        # Django reads forms itself; Twisted would, too, and read a type as a mail's header, which takes 70 µs.
        TwistedRequest.__init__(self, channel, queued, parsePOSTFormSubmission=False)
        self.client_addr: list[Any] | None = None
        self.server_addr = None
        self.application_queue: Any = None
        self._response_started = False
        self.server = channel.factory.server
        self.server.protocol_connected(self)

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802 - Twisted's name
        """Tell the application that its client is gone."""
        if self.application_queue:
            self.send_disconnect()
        TwistedRequest.connectionLost(self, reason)
        self.server.protocol_disconnected(self)

    def process(self) -> Any:
        """Start the application for a request whose head and body are there."""
        headers = stream_headers(self, self.server.headers_read)
        if headers is None:
            return super().process()
        self.open_stream(headers)
        return None

    def open_stream(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Start the application with the headers that it reads."""
        self.client_addr = [self.client.host, self.client.port]
        path, _mark, query = self.uri.partition(b"?")
        scope = {
            "type": "http",
            "http_version": self.clientproto[-3:].decode(),
            "method": self.method.decode(),
            "path": unquote(path.decode()),
            "query_string": query,
            "headers": headers,
            "client": self.client_addr,
            "server": [self.host.host, self.host.port],
        }
        self.application_queue = self.server.create_application(self, scope)

    def handle_exception(self, _exception: BaseException) -> None:
        """Answer for an application that failed, or end what it has begun to answer."""
        if self._response_started:
            self.transport.abortConnection()
        else:
            self.basic_error(HTTPStatus.INTERNAL_SERVER_ERROR, b"", SERVICE_FAILED)

    def basic_error(self, status: int, _phrase: bytes, sentence: str) -> None:
        """Answer in JSON where Daphne has a page."""
        body = error_body(sentence.rstrip(".") + ".")
        self.responseHeaders.setRawHeaders(b"Date", [http_date()])
        headers = [*JSON_HEADERS, (b"Content-Length", b"%d" % len(body))]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": body})
