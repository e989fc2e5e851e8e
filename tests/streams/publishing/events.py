"""Events that a back end publishes over HTTP, for tests."""

from __future__ import annotations

from typing import Any

import msgspec

from streams.publishing.publication import Defaults, Draft, Publication, draft

DEFAULTS = Defaults(durable=True, max_event_bytes=1000)


def said(client: str = "A-1", action: str = "payment", **fields: Any) -> Publication:
    """Read an event as a request has it; fields are in camelCase."""
    return msgspec.convert({"clientName": client, "action": action, **fields}, Publication)


def ready(client: str = "A-1", *, key: str = "", **fields: Any) -> Draft:
    """Make one ready to be published."""
    return draft(said(client, **fields), DEFAULTS, key)
