"""The Django applications of the operator pages and of their login."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate

from dashboard.login.roles import make_group


class DashboardConfig(AppConfig):
    """Pages that read snapshots of the streams, and nothing else."""

    name = "dashboard"

    def ready(self) -> None:
        """Have the roles of operators made together with the users."""
        post_migrate.connect(make_group, sender=apps.get_app_config("auth"))


class OperatorAdminConfig(AdminConfig):
    """Django's admin, for its login and its users, with the dashboard as its front page."""

    default_site = "dashboard.site.OperatorSite"
