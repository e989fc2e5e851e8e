"""What a pod says first to somebody who tries it out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from streams.conf import StreamSettings
from streams.http.stream_request import place

# A pod that listens on all addresses of its machine is found on this one.
EVERYWHERE = {"0.0.0.0": "localhost", "::": "localhost"}
REDIS_PORT = 6379


def invitation(conf: StreamSettings, host: str, port: int, root_path: str) -> Iterator[str]:
    """Yield the lines that say what to open and what to type, in development."""
    if conf.production:
        return
    url = f"http://{place(EVERYWHERE.get(host, host), port)}{root_path}"
    operators = f"http://{place(EVERYWHERE.get(host, host), conf.admin_port)}{root_path}" if conf.admin_port else url
    api = f"   API: {operators}/api" if conf.http_api else ""
    yield f"Test client: {url}/   dashboard: {operators}/admin{api}"
    yield f"Try in another terminal: {sample_command(conf)}"


def sample_command(conf: StreamSettings) -> str:
    """Return a command that publishes to this pod's Redis."""
    python = Path(sys.executable)
    if python.is_relative_to(Path.cwd()):
        python = python.relative_to(Path.cwd())
    # Any other variable that names a Redis may hold a password, and does not belong in a log.
    elsewhere = conf.redis_is_default and conf.redis_url_port != REDIS_PORT
    prefix = f"REDIS_PORT={conf.redis_url_port} " if elsewhere else ""
    return f"{prefix}{os.fspath(python)} manage.py publish_event STORE001-LANE01 signature"
