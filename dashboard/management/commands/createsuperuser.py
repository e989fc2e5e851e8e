"""Make a staff user, as Django does, but with what a script gives held to the rules for passwords too."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.auth.management.commands import createsuperuser
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError

from dashboard.login.roles import ACT


class Command(createsuperuser.Command):
    """Check the password of `--noinput`, which Django takes as it is."""

    help = (
        "Make a superuser, who may do everything. Others are made at /admin/auth/user/: a staff user may read, "
        f"and with the role {ACT} act too."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make the user, or say in one line why there is none."""
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD", "")
        if not options["interactive"] and password:
            try:
                validate_password(password)
            except ValidationError as error:
                raise CommandError(f"DJANGO_SUPERUSER_PASSWORD cannot be used: {' '.join(error.messages)}") from None
        try:
            super().handle(*args, **options)
        except (OperationalError, ProgrammingError) as error:
            raise CommandError(f"The database cannot be used ({error}). Has `manage.py migrate` been run?") from None
