"""A stream through a front door, as a device opens one, and an event for it."""

from __future__ import annotations

import http.client
import secrets
import time
import urllib.error
import urllib.request
from typing import Any

import msgspec

from streams.broker import publisher
from streams.doctor.front_door import EVENT_SECONDS, GREETING_SECONDS, Seen
from streams.errors import PublishError

# What may be compressed shows only to whoever could read it.
AS_A_BROWSER = {"Accept": "text/event-stream", "Accept-Encoding": "gzip"}
# No proxy of the environment: the front door is what is asked.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def new_name() -> str:
    """Return a client's name that is nobody's: one that is seen on several days would be expected."""
    return f"DOCTOR-{secrets.token_hex(6)}"


def open_stream(url: str, name: str, *, durable: bool, token: str = "") -> Seen:
    """Open a stream below the URL of a front door and publish an event to it; blocks for some seconds at most.

    `token` goes to that address alone, and to none that it sends on to.
    """
    request = urllib.request.Request(  # noqa: S310 - the command takes http:// and https:// alone
        f"{url.rstrip('/')}/events/{name}", headers=AS_A_BROWSER
    )
    if token:
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    began = time.monotonic()
    try:
        with _opener.open(request, timeout=GREETING_SECONDS) as response:
            return _read(response, name, began, durable=durable)._replace(had_token=bool(token))
    except urllib.error.HTTPError as error:
        return Seen(status=error.code, headers=_headers(error.headers), had_token=bool(token))
    except TimeoutError:
        return Seen()
    except urllib.error.URLError as error:
        return Seen() if isinstance(error.reason, TimeoutError) else Seen(error=f"cannot be reached: {error.reason}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Seen(error=f"gives no answer that can be read: {error}")


def _read(response: Any, name: str, began: float, *, durable: bool) -> Seen:
    seen = Seen(status=response.status, headers=_headers(response.headers))
    if seen.headers.get("content-encoding"):
        return seen
    frame = _frame(response, began + GREETING_SECONDS)
    if frame is None:
        return seen
    kind, data = frame
    seen = seen._replace(first=kind, reason=str(data.get("reason", "")), pod_name=str(data.get("podName", "")))
    if kind != "message":
        return seen
    seen = seen._replace(greeting_seconds=time.monotonic() - began)
    published = time.monotonic()
    try:
        publisher.publish(name, "doctor", durable=durable)
    except PublishError as error:
        return seen._replace(unpublished=str(error))
    while frame := _frame(response, published + EVENT_SECONDS):
        if frame[1].get("action") == "doctor":
            return seen._replace(event_seconds=time.monotonic() - published)
    return seen


def _frame(response: Any, until: float) -> tuple[str, dict[str, Any]] | None:
    """Read the next frame with data, its name and what its data holds; None where none comes in time."""
    kind, data = "message", ""
    while time.monotonic() < until:
        try:
            line = response.readline().decode(errors="replace")
        except TimeoutError:
            return None
        if not line:
            return None
        name, _colon, value = line.strip().partition(":")
        if name == "event":
            kind = value.strip()
        elif name == "data":
            data = value.strip()
        elif not name and not value and data:
            return kind, _object(data)
    return None


def _object(data: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}


def _headers(found: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in found.items()}
