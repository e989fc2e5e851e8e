"""Run a pod for development, on Daphne, with reload when a source changes."""

from __future__ import annotations

from daphne.management.commands.runserver import Command as DaphneCommand
from django.conf import settings


class Command(DaphneCommand):
    """Daphne's runserver on the service's own port.

    Naming Daphne in INSTALLED_APPS instead would make Twisted's reactor in every
    command, before `streamworker` could choose its event loop.
    """

    default_port = str(settings.STREAMS.port)
