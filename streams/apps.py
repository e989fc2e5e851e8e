"""The Django application of the streams."""

from __future__ import annotations

from django.apps import AppConfig


class StreamsConfig(AppConfig):
    """Registers the system checks; the pod is started by a server, never here."""

    name = "streams"

    def ready(self) -> None:
        """Load the checks, which register themselves."""
        from streams import checks  # noqa: F401 - Django's own place for it
