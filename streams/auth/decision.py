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
NO_RIGHT = {
    Right.SUBSCRIBE: "The token gives no right to the streams of this client.",
    Right.PUBLISH: "The token gives no right to publish to this client.",
    Right.READ: "The token gives no right to look.",
    Right.ACT: "The token gives no right to act.",
}


class Decision(NamedTuple):
    """How it was decided, with the holder where the token is good, and else a sentence for whoever asked.

    `malformed` says that the request itself is at fault (400 `invalid_request` in RFC 6750) and not the token.
    """

    result: Result
    holder: Holder | None = None
    sentence: str = ""
    malformed: bool = False

    @property
    def ok(self) -> bool:
        """Say whether it is allowed."""
        return self.result is Result.OK


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
        holder = verifier.verify(presented.token, now)
    except BadToken as bad:
        return Decision(bad.result, sentence=bad.sentence)
    if revocations.revoked(holder, now):
        return Decision(Result.REVOKED, holder, REVOKED)
    return Decision(Result.OK, holder)


def permit(decision: Decision, right: Right, name: str = "") -> Decision:
    """Decide about a right of one who was identified; any other decision stays as it is."""
    holder = decision.holder
    if decision.result is not Result.OK or holder is None or holder.may(right, name):
        return decision
    return Decision(Result.SCOPE, holder, NO_RIGHT[right])
