"""Times in a page: each an ISO time in `datetime`, with what a person reads of it."""

from __future__ import annotations

import time

from django import template

from dashboard.content import formats
from streams.wire.timestamps import unix_seconds

register = template.Library()


@register.filter
def ago(text: str) -> str:
    """Write how long ago an ISO time was; what is none is shown as it is."""
    seconds = unix_seconds(text)
    return text if seconds is None else formats.ago(time.time() - seconds)


@register.filter
def moment(text: str) -> str:
    """Write an ISO time in full; nothing for what is none."""
    seconds = unix_seconds(text)
    return "" if seconds is None else formats.moment(seconds)
