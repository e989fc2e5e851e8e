"""How the tests of the pages connect a client, where the pages are, and what is in an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streams.delivery.connection import Connection

Connect = Callable[..., Connection]
PAGES = (
    *("/", "/admin", "/admin/pod", "/admin/tokens", "/admin/stores", "/admin/stores/STORE001"),
    *("/admin/clients/STORE001-LANE01", "/admin/clients/STORE001-LANE01/send", "/admin/clients/STORE001-LANE01/retire"),
)
SCRIPT = "<script>alert(1)</script>"


def text(response: Any) -> str:
    content: bytes = response.content
    return content.decode()
