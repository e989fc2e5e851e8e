"""The pod as an ASGI application that evens out shares of few clients, and within seconds."""

from __future__ import annotations

from sseproject.asgi import application
from streams.roster import rebalance

__all__ = ["application"]

rebalance.YOUNG_SECONDS = 2.0
rebalance.SENT_SHARE = 0.02
rebalance.LEAST_CONNECTIONS = 10
