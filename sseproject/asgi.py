"""The ASGI application, wired: streams to their consumer, everything else to Django.

It owns the pod. A server that speaks the lifespan protocol starts and stops it;
Daphne does not, so there the first request starts it, and each request looks after it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sseproject.settings")
django: Callable[..., Awaitable[None]] = get_asgi_application()

from dashboard.live.board import Board, get_board  # noqa: E402 - Django has to be set up first
from dashboard.live.consumers import LiveConsumer, is_live  # noqa: E402
from streams.http.consumers import EventStreamConsumer, Receive  # noqa: E402
from streams.pod import Pod, get_pod  # noqa: E402
from streams.routing import is_stream  # noqa: E402
from streams.transport.listen_queue import widen_queue_behind  # noqa: E402
from streams.transport.reactor_clock import use_steady_clock  # noqa: E402
from streams.transport.writer import Send  # noqa: E402


class Application:
    """The pod as an ASGI application."""

    # Tells asgiref that this is ASGI 3, though __call__ is a plain function. It is one
    # so that a stream keeps a single coroutine alive and not a chain of them.
    _asgi_single_callable = True

    def __init__(self, pod: Pod, board: Board) -> None:
        self._pod = pod
        self._board = board
        self._started = False
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
        if is_stream(scope):
            return EventStreamConsumer(self._pod)(scope, receive, send)
        if is_live(scope):
            return LiveConsumer(self._board)(scope, receive, send)
        return django(scope, receive, send)

    def _start(self, send: Send) -> None:
        if not self._started:
            self._started = True
            widen_queue_behind(send)
        self._pod.start()

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


use_steady_clock()
application = Application(get_pod(), get_board())
