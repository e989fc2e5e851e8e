"""The Django applications of the operator pages and of their login."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class DashboardConfig(AppConfig):
    """Pages that read snapshots of the streams, and nothing else."""

    name = "dashboard"


class OperatorAdminConfig(AdminConfig):
    """Django's admin, for its login and its users, with the dashboard as its front page."""

    default_site = "dashboard.site.OperatorSite"
