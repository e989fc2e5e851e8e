"""A stream through the front door, judged by what came of it and when; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streams.doctor.findings import Finding, bad, skipped, well

CHECK = "front door"
GREETING_SECONDS = 2.0
EVENT_SECONDS = 1.0
PAGE = "docs/howto/front-doors.md"
TOKENS_PAGE = "docs/howto/tokens.md"
BUFFERS = f"Switch buffering and compression off for /events/: {PAGE}."


class Seen(NamedTuple):
    """What came of a stream; seconds are None for what did not come, and `pod_name` is who greeted.

    `error` is why there was no answer at all. `first` is the name of the first frame, `reason` the one in it.
    """

    error: str = ""
    status: int = 0
    headers: Mapping[str, str] = {}
    first: str = ""
    reason: str = ""
    pod_name: str = ""
    greeting_seconds: float | None = None
    event_seconds: float | None = None
    # Why the event was not published, or an empty string.
    unpublished: str = ""
    # Whether a token was sent with it.
    had_token: bool = False

    @property
    def refused(self) -> bool:
        """Say whether it was refused for its token, or for want of one: only a lock names its scheme."""
        return self.status in (400, 401, 403) and self.headers.get("www-authenticate", "").startswith("Bearer")


def judge_stream(url: str, seen: Seen) -> Iterator[Finding]:
    """Judge a stream that was opened through a front door at a URL, and an event that was published to it."""
    if seen.error:
        yield bad(
            CHECK, f"{url} {seen.error}", "Look at its address and its log, and ask a pod itself in the same way."
        )
    elif seen.refused or seen.first == "unauthorized":
        yield _refused(url, seen)
    elif seen.status and (seen.status != 200 or not _is_stream(seen)):
        says = f"{url} answers a stream with {seen.status} and {seen.headers.get('content-type', 'no type')}"
        yield bad(CHECK, says, f"A browser's EventSource gives up for ever after it: {PAGE}.")
    elif encoding := seen.headers.get("content-encoding"):
        yield bad(CHECK, f"{url} compresses streams ({encoding})", BUFFERS)
    elif seen.first and seen.first != "message":
        says = f"{url} refuses a stream: {seen.first}, reason {seen.reason}"
        yield bad(CHECK, says, "Look at the pods: none takes clients, or it reaches none.")
    elif seen.greeting_seconds is None:
        says = f"{url} gave no greeting within {GREETING_SECONDS:g} s"
        yield bad(CHECK, says, f"Ask a pod itself: if it greets at once, the front door buffers. {BUFFERS}")
    else:
        yield well(CHECK, f"{url} gave the greeting of {seen.pod_name} after {1000 * seen.greeting_seconds:.0f} ms")
        yield _event(url, seen)


def _refused(url: str, seen: Seen) -> Finding:
    if not seen.had_token:
        return skipped(CHECK, f"{url} asks for a token ({seen.status}); --token-file names one for DOCTOR-*")
    if seen.reason:
        return bad(CHECK, f"{url} refuses the token: {seen.reason}", "Look at its exp, and at the clocks.")
    error = seen.headers["www-authenticate"].partition("error=")[2].strip('"') or "as if there was none"
    remedy = f"Let the keys here be those of the pods, and the front door hand Authorization on: {TOKENS_PAGE}."
    return bad(CHECK, f"{url} refuses the token: {seen.status} {error}", remedy)


def _event(url: str, seen: Seen) -> Finding:
    if seen.unpublished:
        return bad("event", f"it was not published: {seen.unpublished}", "Look at the lines about Redis.")
    if seen.event_seconds is None:
        says = f"it did not come through {url} within {EVENT_SECONDS:g} s"
        remedy = f"Let REDIS_URL and REDIS_CHANNEL here be those of the pods. If they are, it buffers. {BUFFERS}"
        return bad("event", says, remedy)
    return well("event", f"it came through the front door {1000 * seen.event_seconds:.0f} ms after it was published")


def _is_stream(seen: Seen) -> bool:
    return seen.headers.get("content-type", "").partition(";")[0].strip() == "text/event-stream"
