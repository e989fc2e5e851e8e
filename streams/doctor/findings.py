"""What a look at the service found: one line for each check, and what is to be done where it is not well; pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class State(StrEnum):
    """How it is: as it should be, worth a second look, in the way of the service, or not looked at."""

    WELL = "ok"
    LOOK = "warning"
    BAD = "failure"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, how it is, what was seen, and the remedy where there is one to take."""

    check: str
    state: State
    says: str
    remedy: str = ""


class Report(msgspec.Struct, frozen=True):
    """All findings, as `--json` writes them; `ok` is whether none is a failure."""

    ok: bool
    findings: list[Finding]


def well(check: str, says: str) -> Finding:
    """Return what is as it should be."""
    return Finding(check, State.WELL, says)


def look(check: str, says: str, remedy: str) -> Finding:
    """Return what works, and deserves a second look."""
    return Finding(check, State.LOOK, says, remedy)


def bad(check: str, says: str, remedy: str) -> Finding:
    """Return what is in the way of the service."""
    return Finding(check, State.BAD, says, remedy)


def skipped(check: str, why: str) -> Finding:
    """Return what was not looked at."""
    return Finding(check, State.SKIPPED, f"not looked at: {why}")


def report(findings: Iterable[Finding]) -> Report:
    """Put findings together."""
    found = list(findings)
    return Report(all(finding.state is not State.BAD for finding in found), found)
