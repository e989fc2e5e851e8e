"""The users in Django's admin: what decides about a login here, and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.forms import CheckboxSelectMultiple
from django.http import HttpRequest

from dashboard.login.roles import ACT, role_of
from dashboard.rendering import note_by_user

RIGHTS = {
    "is_staff": "May read: sees all pages, and asks the API.",
    "groups": f"Beside “Staff status”, {ACT} may act: ends streams, sends test events, says which lanes a store has.",
    "is_superuser": "May read, act, and change users.",
}


class OperatorAdmin(UserAdmin):  # type: ignore[type-arg] # generic in the stubs only
    """A user with the rights of an operator, and without Django's permissions, which nothing here asks for.

    Django's widgets for groups, and for dates, have parts that a screen reader cannot name.
    """

    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "groups", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ()
    list_filter = ("is_staff", "groups", "is_superuser", "is_active")
    readonly_fields = ("last_login", "date_joined")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Say beside each right what it is for."""
        if db_field.name in RIGHTS:
            kwargs["help_text"] = RIGHTS[db_field.name]
        if db_field.name == "groups":
            kwargs |= {"label": "Role", "widget": CheckboxSelectMultiple}
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write down, for whoever reads logs too, who was added."""
        note_by_user(request, f"added the user {obj}, who {role_of(obj)}")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Write down who was changed, and what he may now."""
        note_by_user(request, f"changed the user {obj}, who {role_of(obj)}")
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        """Write down who was deleted."""
        for user in queryset:
            note_by_user(request, f"deleted the user {user}")
        return super().log_deletions(request, queryset)


admin.site.unregister([User, Group])
admin.site.register(User, OperatorAdmin)
