"""The logins that were ended before their time: a copy of their cookie opens nothing on any pod."""

from __future__ import annotations

import logging
import time

from django.conf import settings

from dashboard.login import shared
from streams.broker.clients import LINK_ERRORS
from streams.logs import Sparingly

logger = logging.getLogger("sse.server")

# How long a pod goes by what it knows itself before it asks a silent Redis again.
PAUSE_SECONDS = 5.0


class EndedLogins:
    """Ids of ended logins: in Redis for all pods, and those that this pod has met in its memory.

    Each is kept for as long as a cookie of that login could be good. While Redis does not
    answer, a login counts that this pod does not know to be ended: the dashboard is
    wanted most when Redis is away.
    """

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._ask_at = float("-inf")
        self._errors = Sparingly()

    async def add(self, login_id: str) -> bool:
        """End a login; say whether the other pods can know."""
        self._remember(login_id)
        try:
            await shared.client().set(shared.key("ended", login_id), 1, ex=settings.SESSION_COOKIE_AGE)
        except LINK_ERRORS as error:
            self._log_error(error)
            return False
        return True

    async def has(self, login_id: str) -> bool:
        """Say whether a login was ended, as far as can be known now."""
        if login_id in self._until:
            return True
        if time.monotonic() < self._ask_at:
            return False
        try:
            ended = bool(await shared.client().exists(shared.key("ended", login_id)))
        except LINK_ERRORS as error:
            self._ask_at = time.monotonic() + PAUSE_SECONDS
            self._log_error(error)
            return False
        if ended:
            self._remember(login_id)
        return ended

    def _remember(self, login_id: str) -> None:
        now = time.monotonic()
        self._until = {known: until for known, until in self._until.items() if until > now}
        self._until[login_id] = now + settings.SESSION_COOKIE_AGE

    def _log_error(self, error: Exception) -> None:
        if self._errors.due():
            logger.warning("Pods cannot tell each other which operators have logged out: %s", error)


ended_logins = EndedLogins()
