"""Where pages find their static files."""

from __future__ import annotations

from django.contrib.staticfiles.storage import StaticFilesStorage
from django.urls import get_script_prefix


class BelowRootPath(StaticFilesStorage):
    """Addresses below the root path of the server that a request came to.

    Django's own reads that path once, with the first page that it renders, and keeps it.
    """

    @property
    def base_url(self) -> str:
        """Return the address of the directory."""
        return f"{get_script_prefix()}static/"
