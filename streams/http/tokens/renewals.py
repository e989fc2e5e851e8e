"""The consumer behind POST /events/NAME/token: an open stream gets a new token, and goes on."""

from __future__ import annotations

import logging
from typing import Any

from streams.auth.decision import Decision
from streams.auth.results import Result
from streams.errors import InvalidName
from streams.http.answers import FAILED, NO_STORE, Refused, send_answer, send_error
from streams.http.consumers import EventStreamConsumer, Receive
from streams.http.stream_request import PATH_PREFIX
from streams.http.target import path_below
from streams.http.tokens.unlocking import RETRY_AFTER_SECONDS, decide, refused, retry_after
from streams.locks.locks import Mode
from streams.locks.renewals import Outcome
from streams.pod import Pod
from streams.transport.writer import Send
from streams.wire.events import valid_name

logger = logging.getLogger("sse.server")

SUFFIX = "/token"
OTHER_HOLDER = "The stream was opened with the token of another holder: the new token has to have the same sub."
NOBODY = "No pod has an open stream of this client: open one with the new token."
BUSY = "Too many pods are being asked for streams at this moment; ask again."


def is_renewal(scope: dict[str, Any], pod: Pod) -> bool:
    """Say whether a request to a path of streams brings a new token, where tokens are looked at."""
    if scope["method"] != "POST" or pod.locks.streams is Mode.OFF:
        return False
    # There may be a client of the name `token`.
    return path_below(scope).removeprefix(PATH_PREFIX).endswith(SUFFIX)


class RenewalConsumer(EventStreamConsumer):
    """Serves one renewal."""

    async def __call__(self, scope: dict[str, Any], _receive: Receive, send: Send) -> None:
        """Take a new token; the stream may be on any pod."""
        cors = self._cors(scope)
        try:
            self._look_whose_page(scope)
            await self._renew(scope)
        except Refused as error:
            await send_error(send, error, cors)
        except Exception:
            logger.exception("A request to renew a token failed")
            await send_error(send, FAILED, cors)
        else:
            await send_answer(send, 204, [NO_STORE, *cors])

    async def _renew(self, scope: dict[str, Any]) -> None:
        try:
            name = valid_name(path_below(scope).removeprefix(PATH_PREFIX).removesuffix(SUFFIX))
        except InvalidName as error:
            raise Refused(400, str(error)) from None
        decision = decide(self._pod, scope, name)
        # Whoever observes refuses nobody. The stream may be on a pod that does.
        observes = self._pod.locks.streams is not Mode.REQUIRED
        if not decision.ok or decision.holder is None:
            if observes:
                return
            raise refused(decision)
        outcome = await self._pod.guard.renewals.renew(name, decision.holder)
        if observes:
            return
        if outcome is Outcome.OTHER_HOLDER:
            raise refused(Decision(Result.SCOPE, sentence=OTHER_HOLDER))
        if outcome is Outcome.NOBODY:
            raise Refused(404, NOBODY)
        if outcome is Outcome.BUSY:
            raise Refused(503, BUSY, [retry_after(RETRY_AFTER_SECONDS)])
