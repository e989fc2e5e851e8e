"""Run one pod and the Daphne server whose connections it serves."""

from __future__ import annotations

import logging
import re
from argparse import ArgumentParser
from ipaddress import ip_address
from typing import Any

import msgspec
from channels.routing import get_default_application
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from streams import VERSION
from streams.broker import embedded
from streams.conf import StreamSettings
from streams.errors import ConfigurationError

logger = logging.getLogger("sse.server")
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


class Command(BaseCommand):
    """Parse, then start the pod."""

    help = (
        "Run one pod (Redis subscriber, router, heartbeat) and the Daphne server "
        "whose connections it serves, in one process, on one event loop."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the address to listen on; HOST and PORT are the defaults."""
        conf: StreamSettings = settings.STREAMS
        parser.add_argument("--host", default=conf.host, help=f"address to listen on (default {conf.host})")
        parser.add_argument("--port", type=int, default=conf.port, help=f"port to listen on (default {conf.port})")
        parser.add_argument("--root-path", default="", help="path below which a proxy has the pod, such as /sse")

    def get_version(self) -> str:
        """Return what `--version` prints: the service's own, where Django would name itself."""
        return VERSION

    def handle(self, *, host: str, port: int, root_path: str, **_options: Any) -> None:
        """Serve until a signal ends the pod."""
        if not 0 <= port <= 65535:
            raise CommandError(f"--port is {port}, but it must be a whole number from 0 to 65535.", returncode=2)
        if not ROOT_PATH.fullmatch(root_path):
            raise CommandError(f"--root-path is {root_path!r}, but it must be a path such as /sse.", returncode=2)
        if port and port == settings.STREAMS.admin_port:
            raise CommandError(f"ADMIN_PORT is {port}, but it must be another than --port and PORT.", returncode=2)
        settings.STREAMS = msgspec.structs.replace(settings.STREAMS, host=host, port=port)
        warn_if_open(settings.STREAMS)
        application = get_default_application()
        # This module makes Twisted's reactor, which only a pod needs.
        from streams.pod import get_pod
        from streams.server.daphne import ListenError, StreamServer

        try:
            redis = embedded.start_if_needed(settings.STREAMS)
        except ConfigurationError as error:
            raise CommandError(f"Port {port} on {host} cannot be used: {error}") from None
        try:
            StreamServer(application, get_pod(), host=host, port=port, root_path=root_path).run()
        except ListenError as error:
            raise CommandError(f"Port {error.port} on {host} cannot be used: {error}") from None
        finally:
            if redis is not None:
                redis.stop()


def warn_if_open(conf: StreamSettings) -> None:
    """Say that strangers may act as operators where a pod in development listens for other machines."""
    if not conf.production and not is_loopback(conf.host):
        logger.warning(
            "Whoever reaches %s may use all pages of this pod, since it runs in development: "
            "set ENVIRONMENT=production, or HOST=127.0.0.1",
            conf.host,
        )


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address that is listened on."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
