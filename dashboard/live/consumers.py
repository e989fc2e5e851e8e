"""The consumer behind GET /admin/live: the stream that keeps one open page up to date.

Like a client's stream it bypasses Django's handler, which would cost a thread each.
"""

from __future__ import annotations

import asyncio
import io
import logging
from importlib import import_module
from typing import Any

from channels.generic.http import AsyncHttpConsumer
from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, QueryDict

from dashboard.cluster.clients import ClientPage
from dashboard.cluster.pages import MAX_CURSOR, FrontPage, StorePage, StoresPage
from dashboard.content.pages import PodPage
from dashboard.live.board import Board, Page, get_board
from dashboard.login.sessions import identify
from streams.auth.access import denied, who_asks
from streams.http.answers import FAILED, Refused, send_error
from streams.http.consumers import STREAM_HEADERS, Receive, current_task
from streams.http.listing import View
from streams.http.target import path_below
from streams.transport.writer import Send, open_writer

logger = logging.getLogger("sse.server")

LIVE_PATH = "/admin/live"
# The page then connects again by itself, so that a login that ended does not go on here.
MAX_LIVE_SECONDS = 600.0
MAX_NAME = 256


def is_live(scope: dict[str, Any]) -> bool:
    """Say whether an ASGI request asks for the stream of a page."""
    return path_below(scope) == LIVE_PATH


class LiveConsumer(AsyncHttpConsumer):
    """One open page's stream."""

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request until its page or this pod ends it."""
        try:
            page = await wanted_page(scope)
            first = await self._board.first(page)
        except Refused as refused:
            await send_error(send, refused, [])
            return
        except Exception:
            logger.exception("A request for a page's stream failed")
            await send_error(send, FAILED, [])
            return
        # Between this and the stream's begin nothing waits: the page may be gone.
        writer = open_writer(send, current_task, self._board.pod.socket_options)
        try:
            self._board.open(page, writer, STREAM_HEADERS, first)
            async with asyncio.timeout(MAX_LIVE_SECONDS):
                await disconnect(receive)
        except TimeoutError:
            writer.finish()
            await disconnect(receive)
        except Exception:
            # Handled here, since a server could only begin another answer.
            logger.exception("The stream of a page failed and is closed")
            writer.abort()
        finally:
            self._board.close(page, writer)


async def disconnect(receive: Receive) -> None:
    """Wait until the page is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def wanted_page(scope: dict[str, Any]) -> Page:
    """Return the page whose stream an ASGI request asks for.

    Raises Refused for a request that gets none.
    """
    if scope["method"] != "GET":
        raise Refused(405, f"Method {scope['method']} is not allowed here; use GET.", [(b"Allow", b"GET")])
    request = session_request(scope)
    if refused := denied(await who_asks(request, get_board().pod.locks.identify)):
        challenge = [(b"WWW-Authenticate", refused.challenge.encode())] if refused.challenge else []
        raise Refused(refused.status, refused.sentence, challenge)
    try:
        return page_of(request.GET)
    except TooManyFieldsSent:
        raise Refused(400, "The address has too many parameters.") from None


def page_of(parameters: QueryDict) -> Page:
    """Read from the stream's address which page it is for."""
    match parameters.get("of"):
        case "cluster":
            return FrontPage()
        case "stores":
            return StoresPage.parse(parameters)
        case "store":
            return StorePage(parameters.get("store", "")[:MAX_NAME], parameters.get("cursor", "")[:MAX_CURSOR])
    name = parameters.get("client")
    return ClientPage(name) if name else PodPage(View.parse(parameters))


def session_request(scope: dict[str, Any]) -> HttpRequest:
    """Make of an ASGI scope a request with its session and its user."""
    request = ASGIRequest(scope, io.BytesIO())
    store = import_module(settings.SESSION_ENGINE).SessionStore
    request.session = store(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    identify(request)
    return request
