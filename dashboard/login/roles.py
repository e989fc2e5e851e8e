"""What operators may: a staff user reads, a member of one group acts too, a superuser does everything."""

from __future__ import annotations

from typing import Any

from django.apps import apps as installed

ACT = "act"


def may_act(user: Any) -> bool:
    """Say whether a user may change what he sees; it asks the database."""
    return bool(user.is_superuser or user.groups.filter(name=ACT).exists())


def role_of(user: Any) -> str:
    """Return what a user may, in the words of a log; it asks the database."""
    if not (user.is_active and user.is_staff):
        return "may nothing"
    if user.is_superuser:
        return "is a superuser"
    return "may read and act" if may_act(user) else "may read"


def make_group(using: str, apps: Any = installed, **_: Any) -> None:
    """Make the group after a migration, or after all was taken out, so that there is one to choose."""
    try:
        group = apps.get_model("auth", "Group")
    except LookupError:
        # The users were just taken away.
        return
    group.objects.using(using).get_or_create(name=ACT)
