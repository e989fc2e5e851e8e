"""Run one pod and the Daphne server whose connections it serves."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

import msgspec
from channels.routing import get_default_application
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from streams.broker import embedded
from streams.conf import StreamSettings
from streams.errors import ConfigurationError


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

    def handle(self, *, host: str, port: int, **_options: Any) -> None:
        """Serve until a signal ends the pod."""
        if not 0 <= port <= 65535:
            raise CommandError(f"--port is {port}, but it must be a whole number from 0 to 65535.", returncode=2)
        settings.STREAMS = msgspec.structs.replace(settings.STREAMS, host=host, port=port)
        application = get_default_application()
        # This module makes Twisted's reactor, which only a pod needs.
        from streams.pod import get_pod
        from streams.server.daphne import ListenError, StreamServer

        try:
            redis = embedded.start_if_needed(settings.STREAMS)
        except ConfigurationError as error:
            raise CommandError(f"Port {port} on {host} cannot be used: {error}") from None
        try:
            StreamServer(application, get_pod(), host=host, port=port).run()
        except ListenError as error:
            raise CommandError(f"Port {port} on {host} cannot be used: {error}") from None
        finally:
            if redis is not None:
                redis.stop()
