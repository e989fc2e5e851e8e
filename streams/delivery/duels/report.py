"""What the log says of a duel."""

from __future__ import annotations

import logging

from streams.delivery.connection import Connection

logger = logging.getLogger("sse.registry")

NO_USER_AGENT = "no User-Agent"


def log_duel(incumbent: Connection, newcomer: Connection) -> None:
    """Name both ends of a duel: an operator has to find the device that carries the wrong name."""
    logger.warning(
        "Duel for %s: %s (%s) holds it and %s (%s) asks for it again and again; the incumbent is kept. "
        "Two devices have the same name.",
        incumbent.client_name,
        incumbent.address,
        incumbent.user_agent or NO_USER_AGENT,
        newcomer.address,
        newcomer.user_agent or NO_USER_AGENT,
        extra={"fields": newcomer.facts()},
    )
