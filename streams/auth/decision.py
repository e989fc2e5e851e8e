"""The one small room that answers: may the holder of this token do this to this client?"""

from __future__ import annotations

from typing import NamedTuple

from streams.auth.presented import Presented
from streams.auth.results import BadToken, Result
from streams.auth.revocations import Revocations
from streams.auth.rights import Holder, Right
from streams.auth.tokens import Verifier

NOTHING_SENT = "A token is needed: send it in the header Authorization: Bearer."
REVOKED = "The token was revoked."
NOT_KNOWN = "This pod does not know yet which tokens are good: ask again in some seconds, or another pod."
NO_RIGHT = {
    Right.SUBSCRIBE: "The token gives no right to the streams of this client.",
    Right.PUBLISH: "The token gives no right to publish to this client.",
    Right.READ: "The token gives no right to look.",
    Right.ACT: "The token gives no right to act.",
}


class Decision(NamedTuple):
    """How it was decided, with the holder where the token is genuine, and a sentence for whoever asked if it is not ok.

    `malformed` says that the request itself is at fault (400 `invalid_request` in RFC 6750) and not the token, and
    `unsure` that the pod is: it has read no keys yet, or not what was revoked.
    """

    result: Result
    holder: Holder | None = None
    sentence: str = ""
    malformed: bool = False
    unsure: bool = False

    @property
    def ok(self) -> bool:
        """Say whether it is allowed."""
        return self.result is Result.OK


UNSURE = Decision(Result.INVALID, sentence=NOT_KNOWN, unsure=True)


def decide(
    presented: Presented, verifier: Verifier, revocations: Revocations, right: Right, name: str, now: float
) -> Decision:
    """Decide about one right, to the client of a name where the right is one to a client. `now` is Unix time."""
    return permit(identify(presented, verifier, revocations, now), right, name)


def identify(presented: Presented, verifier: Verifier, revocations: Revocations, now: float) -> Decision:
    """Decide who asks, before it is known for what; Result.OK grants nothing yet."""
    if presented.fault:
        return Decision(Result.INVALID, sentence=presented.fault, malformed=True)
    if not presented.token:
        return Decision(Result.NONE, sentence=presented.remark or NOTHING_SENT)
    try:
        decision = Decision(Result.OK, verifier.verify(presented.token, now))
    except BadToken as bad:
        decision = Decision(bad.result, bad.holder, bad.sentence)
    if decision.holder is not None and revocations.revoked(decision.holder, now):
        return Decision(Result.REVOKED, decision.holder, REVOKED)
    return decision


def permit(decision: Decision, right: Right, name: str = "") -> Decision:
    """Decide about a right of one who was identified; any other decision stays as it is.

    Expired is what time alone has taken the right from, and names nobody any more.
    """
    holder = decision.holder
    if holder is None or decision.result not in (Result.OK, Result.EXPIRED):
        return decision
    if not holder.may(right, name):
        return Decision(Result.SCOPE, holder, NO_RIGHT[right])
    return decision if decision.ok else decision._replace(holder=None)
