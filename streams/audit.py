"""Lines of log that say who changed what, whatever LOG_LEVEL is; each names its operator as auth/access.py does."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from streams.logs import quoted

LANES_NAMED = 10

logger = logging.getLogger("sse.audit")


def note_change(who: str, sentence: str, address: str, client_name: str = "") -> None:
    """Say what was done, in a sentence without its subject, and which client it was done to."""
    fields = {"address": address}
    if client_name:
        fields["clientName"] = client_name
    logger.info("%s %s", quoted(who), sentence, extra={"fields": fields})


def closed(name: str, state: str = "connected") -> str:
    """Return the sentence about a stream that was ended, or that was to be, by the state of its lane before."""
    return f"closed the stream of {name}" if state == "connected" else f"asked for the end of {name}, which was {state}"


def sent(name: str, action: str, event_id: str) -> str:
    """Return the sentence about an event that a person has published."""
    return f"sent {name} an event, {quoted(action)} {quoted(event_id)}"


def sent_together(count: int) -> str:
    """Return the sentence about many of them."""
    return f"sent {count} event(s) in one request"


def retired(name: str) -> str:
    """Return the sentence about a lane that is gone for good."""
    return f"retired {name}"


def expects(store: str, lanes: Sequence[str]) -> str:
    """Return the sentence about which lanes a store was said to have; none is that nothing is said any more."""
    named = ", ".join(lanes[:LANES_NAMED]) + ("…" if len(lanes) > LANES_NAMED else "")
    said = f"{len(lanes)}, {named}" if lanes else "those that connect"
    return f"said which lanes the store {store or '(none)'} has: {said}"


def revoked(jti: str, sub: str, issued_before: str) -> str:
    """Return the sentence about a token that was taken back, or all that a holder was issued before a moment."""
    return f"revoked the token {quoted(jti)}" if jti else f"revoked all tokens of {quoted(sub)} before {issued_before}"
