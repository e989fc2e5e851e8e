"""Import Daphne without what a pod never speaks, and give back what the imports left over.

Autobahn (WebSocket) and OpenSSL (TLS, which ends before a pod) would be a quarter of an
idle pod's memory. Import this module before daphne.server; plain `daphne` loads all of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any


class NoWebSocketFactory:
    """Stands where Daphne keeps its WebSocket factory, and makes nothing."""

    def __init__(self, *_args: Any, **_options: Any) -> None:
        pass

    def setProtocolOptions(self, **_options: Any) -> None:  # noqa: N802 - the name that Daphne calls
        """Take the options of a protocol that is not spoken."""


@contextlib.contextmanager
def without_unspoken_protocols() -> Iterator[None]:
    """Import Daphne and Twisted inside this block."""
    websockets = ModuleType("daphne.ws_protocol")
    websockets.WebSocketFactory = NoWebSocketFactory  # type: ignore[attr-defined]
    sys.modules.setdefault("daphne.ws_protocol", websockets)
    with absent("OpenSSL"):
        yield


@contextlib.contextmanager
def absent(module: str) -> Iterator[None]:
    """Let imports inside this block take the machine for one without a module, unless it is loaded."""
    loaded = module in sys.modules
    if not loaded:
        # None makes an import fail.
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if not loaded:
            del sys.modules[module]


def trim_memory() -> None:
    """Give memory that is free back to the system, where the C library can."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
