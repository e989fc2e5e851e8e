"""Searches what Django answers to its own clients, which go through no socket."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import client

from tests.support.leaks.watch import watch


@contextlib.contextmanager
def answers_searched() -> Iterator[None]:
    """Look for secrets in each answer, for the length of a block."""
    # What both clients of Django call last.
    finish = client.conditional_content_removal

    def finish_and_search(request: Any, answer: Any) -> Any:
        finished: Any = finish(request, answer)
        watch.secrets.add_request(request.headers)
        for cookie in finished.cookies.values():
            watch.secrets.add(cookie.value)
        watch.search_head(str(finished.headers).encode())
        if not finished.streaming:
            watch.search_body(finished.content)
        return finished

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "conditional_content_removal", finish_and_search)
        yield
