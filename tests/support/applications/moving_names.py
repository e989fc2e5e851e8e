"""The pod as an ASGI application whose host names are looked up in a file: serve it instead of sseproject.asgi.

Each line of the file that HOSTS_FILE names has a name and its addresses.
"""

from __future__ import annotations

import os
from pathlib import Path

from sseproject.asgi import application
from streams.broker import clients

__all__ = ["application"]

HOSTS_FILE = Path(os.environ["HOSTS_FILE"])


async def resolve(host: str, port: int) -> list[str]:
    text = HOSTS_FILE.read_text()  # noqa: ASYNC240 - a line, in memory
    found = {name: addresses for name, *addresses in map(str.split, text.splitlines())}
    if host not in found:
        raise OSError(f"{host} is not known")
    return found[host]


clients.resolve = resolve
