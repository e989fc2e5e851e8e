"""The ASGI application, wired: streams and the API to their consumers, everything else to Django.

It owns the pod. A server that speaks the lifespan protocol starts and stops it;
Daphne does not, so there the first request starts it, and each request looks after it.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.core.asgi import get_asgi_application

from sseproject.threads import LendingThreads

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sseproject.settings")
django: Callable[..., Awaitable[None]] = LendingThreads(get_asgi_application())

from dashboard.live.board import Board, get_board  # noqa: E402 - Django has to be set up first
from dashboard.live.consumers import LiveConsumer, is_live, session_request  # noqa: E402
from dashboard.login.gate import refused_login  # noqa: E402
from streams.api.consumer import ApiConsumer, is_api  # noqa: E402
from streams.conf.variables import NetworkSet  # noqa: E402
from streams.http.answers import FAILED, Refused, send_error  # noqa: E402
from streams.http.consumers import EventStreamConsumer, Receive  # noqa: E402
from streams.http.proxies import settle_client, settle_user  # noqa: E402
from streams.http.stream_request import headers_read  # noqa: E402
from streams.http.target import is_for_operators, serves_operators, settle_target  # noqa: E402
from streams.http.tokens.renewals import RenewalConsumer, is_renewal  # noqa: E402
from streams.logs import QueryFilter  # noqa: E402
from streams.pod import Pod, get_pod  # noqa: E402
from streams.routing import is_stream  # noqa: E402
from streams.transport.daphne_writer import request_behind  # noqa: E402
from streams.transport.listen_queue import widen_queue_behind  # noqa: E402
from streams.transport.reactor_clock import use_steady_clock  # noqa: E402
from streams.transport.writer import Send  # noqa: E402
from streams.wire.timestamps import http_date  # noqa: E402

logger = logging.getLogger("sse.server")


class Application:
    """The pod as an ASGI application."""

    # Tells asgiref that this is ASGI 3, though __call__ is a plain function. It is one
    # so that a stream keeps a single coroutine alive and not a chain of them.
    _asgi_single_callable = True

    def __init__(self, pod: Pod, board: Board) -> None:
        self._pod = pod
        self._board = board
        self._api = ApiConsumer(pod, session_request)
        self._started = False
        self._user_header = pod.conf.trusted_user_header.lower().encode()
        # The operators' pages have no part in the product; their second hand lives with it.
        pod.runs["dashboard"] = board.run

    # And this tells uvicorn, which takes a plain function for ASGI 2.
    @markcoroutinefunction
    def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        """Return the coroutine that serves one scope."""
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        if scope["type"] != "http":
            return self._refuse(send)
        self._start(send)
        operators = serves_operators(scope, self._pod.conf.admin_port)
        if self._user_header:
            # Where operators have a port of their own, a device's front door names nobody.
            settle_user(scope, self._pod.conf.trusted_proxies if operators else NetworkSet(), self._user_header)
        if self._pod.conf.trusted_proxies:
            settle_client(scope, self._pod.conf.trusted_proxies)
        root_path: str = scope.get("root_path", "")
        if (request := request_behind(send)) is not None:
            # Any client can move Daphne's root path by a header; this is the server's own.
            root_path = request.server.root_path
            # Daphne sends no Date, which RFC 9110, section 6.6.1, asks for.
            request.responseHeaders.setRawHeaders(b"Date", [http_date()])
        try:
            settle_target(scope, settings.ALLOWED_HOSTS, root_path)
        except Refused as refused:
            return send_error(send, refused, [], scope["path"])
        if is_stream(scope):
            consumer = RenewalConsumer if is_renewal(scope, self._pod) else EventStreamConsumer
            return consumer(self._pod)(scope, receive, send)
        if self._pod.conf.http_api and is_api(scope):
            return self._api(scope, receive, send)
        if not operators and is_for_operators(scope):
            return send_error(send, Refused(404, f"There is nothing at {scope['path']}."), [])
        if is_live(scope):
            return LiveConsumer(self._board)(scope, receive, send)
        if refusal := refused_login(scope, send):
            return refusal
        return self._serve(scope, receive, send)

    def _start(self, send: Send) -> None:
        if not self._started:
            self._started = True
            widen_queue_behind(send)
        self._pod.start()

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Let Django serve a request; where even that fails, answer as Django would, if nothing was answered yet."""
        begun = False

        async def noting_send(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await django(scope, receive, noting_send)
        except Exception:
            if begun:
                raise
            logger.exception("A request failed outside of Django's views")
            await send_error(send, FAILED, [], scope["path"])

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._pod.start()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._pod.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _refuse(self, send: Send) -> None:
        # There is no WebSocket here; this ends the handshake with 403.
        await send({"type": "websocket.close"})


# Where Daphne has loaded this module, and not we Daphne.
if "daphne.http_protocol" in sys.modules:
    from streams.server import plain_daphne

    plain_daphne.mend(headers_read(get_pod().conf.stream_auth))

# Which uvicorn has set up before, and nobody else has.
logging.getLogger("uvicorn.access").addFilter(QueryFilter())
use_steady_clock()
application = Application(get_pod(), get_board())
