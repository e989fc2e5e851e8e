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


def log_duel_elsewhere(connection: Connection, pod_name: str, outcome: str) -> None:
    """Name this pod's end of a duel; the other pod names its own."""
    logger.warning(
        "Duel for %s between %s (%s) here and a device on pod %s: the one here %s. Two devices have the same name.",
        connection.client_name,
        connection.address,
        connection.user_agent or NO_USER_AGENT,
        pod_name,
        outcome,
        extra={"fields": connection.facts()},
    )
