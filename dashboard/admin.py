"""The users in Django's admin: what decides about a login here, and nothing else."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, User


class OperatorAdmin(UserAdmin):  # type: ignore[type-arg] # generic in the stubs only
    """A user without groups and permissions: whoever is staff may look at every page.

    Django's widgets for those two, and for dates, have parts that a screen reader cannot name.
    """

    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ()
    list_filter = ("is_staff", "is_superuser", "is_active")
    readonly_fields = ("last_login", "date_joined")


admin.site.unregister([User, Group])
admin.site.register(User, OperatorAdmin)
