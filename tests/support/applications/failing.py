"""The pod as an ASGI application in which some requests fail: serve it instead of sseproject.asgi."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

from dashboard.live.board import Page, get_board
from sseproject import asgi
from sseproject.asgi import application
from streams.delivery.connection import Connection, Headers, Writer
from streams.http.consumers import Receive
from streams.pod import get_pod
from streams.transport.writer import Send
from tests.support.pods import FAILING, OUTSIDE_DJANGO

# Django has to be set up first, which asgi.py does.
from sseproject import urls  # isort: skip

__all__ = ["application"]

registry = get_pod().registry
open_stream = registry.open
board = get_board()
open_page = board.open
serve = asgi.django


async def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("this view raises")


async def serve_or_fail(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve a request by Django, and fail before that if its path says so."""
    if scope["path"] == OUTSIDE_DJANGO:
        raise RuntimeError("this fails before Django")
    await serve(scope, receive, send)


def open_and_fail(connection: Connection, headers: Headers) -> None:
    """Open a stream, and fail when it is in the registry, if its client's name says so."""
    open_stream(connection, headers)
    if connection.client_name.startswith("FAILING"):
        raise RuntimeError("this stream fails")


def open_page_and_fail(page: Page, writer: Writer, headers: Headers, first: bytes) -> None:
    """Open a page's stream, and fail when its response has begun."""
    open_page(page, writer, headers, first)
    raise RuntimeError("this page's stream fails")


urls.urlpatterns.insert(0, path(FAILING.removeprefix("/"), fail))
registry.open = open_and_fail  # type: ignore[method-assign]
board.open = open_page_and_fail  # type: ignore[method-assign]
asgi.django = serve_or_fail
