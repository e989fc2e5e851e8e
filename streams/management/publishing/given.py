"""The events that a command is to publish, as they were given: by arguments, or on the lines of a file."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from django.core.management.base import CommandError

from streams.api.events import read_event
from streams.api.problems import Problem
from streams.errors import InvalidEvent
from streams.publishing.publication import Defaults, Publication, draft
from streams.wire.events import ACTIONS

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Given(NamedTuple):
    """An event, and on which line it stands; 0 is the command line."""

    said: Publication
    line: int = 0

    @property
    def place(self) -> str:
        """Return what a sentence about it begins with."""
        return f"line {self.line}: " if self.line else ""


class Refusal(NamedTuple):
    """Why what stands on a line cannot be published."""

    line: int
    detail: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.detail}" if self.line else self.detail


def read_file(path: str) -> list[Given | Refusal]:
    """Read the events of a file, or with `-` of standard input; raises CommandError where there are none."""
    try:
        text = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=2) from None
    found = list(read_lines(text))
    if not found:
        name = "standard input" if path == "-" else path
        raise CommandError(f"There is no event in {name}: each line is to hold one, in JSON.", returncode=2)
    return found


def read_lines(text: bytes) -> Iterator[Given | Refusal]:
    """Read one event, as the API takes it, from each line that is not empty."""
    for number, line in enumerate(text.removeprefix(BYTE_ORDER_MARK).split(b"\n"), 1):
        if line.strip():
            try:
                yield Given(read_event(line, Publication), number)
            except Problem as problem:
                yield Refusal(number, sentence(problem))


def checked(
    found: Iterable[Given | Refusal], max_bytes: int, *, by_api: bool, durable: bool | None = None
) -> list[Given | Refusal]:
    """Return events as they are published, and what a pod would refuse as Refusal.

    `max_bytes` is the most that one may have, `durable` of those that do not say. Each has an id then, so that a
    second attempt is known to be one.
    """
    looked_at: list[Given | Refusal] = []
    lines: dict[str, int] = {}
    for each in found:
        if isinstance(each, Refusal):
            looked_at.append(each)
            continue
        said, line = each
        try:
            event_id = check(said, max_bytes, by_api=by_api)
            if lines.setdefault(event_id, line) != line:
                raise InvalidEvent(f"eventId is also that of line {lines[event_id]}.", "eventId")
        except InvalidEvent as error:
            looked_at.append(Refusal(line, str(error)))
            continue
        said = msgspec.structs.replace(
            said, event_id=event_id, durable=durable if said.durable is None else said.durable
        )
        looked_at.append(Given(said, line))
    return looked_at


def check(said: Publication, max_bytes: int, *, by_api: bool) -> str:
    """Return the id of an event that a pod would take; raises InvalidEvent."""
    if said.require_online and not by_api:
        raise InvalidEvent("requireOnline needs --url: who is connected is known to pods.", "requireOnline")
    return draft(said, Defaults(durable=False, max_event_bytes=max_bytes)).event.event_id


def sentence(problem: Problem) -> str:
    """Return what is wrong with a line."""
    return problem.detail.replace("The body", "the line", 1)


def no_sample(action: str) -> str:
    """Say what to do about an action that there is no sample of."""
    near = difflib.get_close_matches(action, ACTIONS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"there are samples of {', '.join(ACTIONS)}."
    return f"There is no sample of the action {action!r}: {hint} Any other action needs --data."
