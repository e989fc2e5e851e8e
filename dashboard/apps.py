"""The Django application of the operator pages."""

from __future__ import annotations

from django.apps import AppConfig


class DashboardConfig(AppConfig):
    """Pages that read snapshots of the streams, and nothing else."""

    name = "dashboard"
