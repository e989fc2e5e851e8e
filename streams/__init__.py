"""Realtime delivery of Redis events to named devices over server-sent events."""

from __future__ import annotations

# That of pyproject.toml, which no image holds.
VERSION = "1.0.0"
