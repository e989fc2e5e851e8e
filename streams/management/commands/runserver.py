"""Run a pod for development, on Daphne, with reload when a source changes."""

from __future__ import annotations

import re
from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand
from daphne.server import Server
from django.conf import settings


class Command(DaphneCommand):
    """Daphne's runserver on the service's own port.

    Naming Daphne in INSTALLED_APPS instead would make Twisted's reactor in every
    command, before `streamworker` could choose its event loop.
    """

    default_port = str(settings.STREAMS.port)

    def server_cls(self, *, endpoints: list[str], **options: Any) -> Server:
        """Return the server, which listens on ADMIN_PORT too."""
        admin_port = settings.STREAMS.admin_port
        more = [re.sub(r"port=\d+", f"port={admin_port}", endpoint) for endpoint in endpoints] if admin_port else []
        return Server(endpoints=[*endpoints, *more], **options)
