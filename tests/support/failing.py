"""The pod as an ASGI application with one path whose view raises: serve it instead of sseproject.asgi."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from sseproject.asgi import application
from tests.support.pods import FAILING

# Django has to be set up first, which asgi.py does.
from sseproject import urls  # isort: skip

__all__ = ["application"]


async def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("this view raises")


urls.urlpatterns.insert(0, path(FAILING.removeprefix("/"), fail))
