"""A scenario: its name, how long it may take, and what it does; and one run of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.scale.ground import Ground, Say, standing
from tests.scale.report import Findings


@dataclass(slots=True)
class Run:
    """One run of a scenario: `size` says how many clients, `directory` is for the pods' logs."""

    findings: Findings
    size: int
    directory: Path
    say: Say
    _began: float = field(default_factory=time.monotonic)

    def note(self, what: str, value: float, unit: str = "", *, at_most: float | None = None) -> None:
        self.findings.note(what, float(value), unit, at_most=at_most)
        self.say(f"{self.findings.name}, {time.monotonic() - self._began:4.0f} s  {what}: {value:,.2f} {unit}")

    def standing(self, homes: Mapping[str, int], **settings: str | float) -> AbstractAsyncContextManager[Ground]:
        """Start three pods and a device for each name."""
        return standing(homes, self.directory, self.say, **settings)


class Scenario(NamedTuple):
    """What is tried: with so many clients, within so many seconds."""

    name: str
    title: str
    size: int
    seconds: float
    act: Callable[[Run], Awaitable[None]]


async def play(scenario: Scenario, share: float, directory: Path, say: Say) -> Findings:
    """Run a scenario with a share of its clients; what it dies of is a failure and not raised."""
    findings = Findings(scenario.name, scenario.title)
    began = time.monotonic()
    await asyncio.to_thread(directory.mkdir)
    try:
        async with asyncio.timeout(scenario.seconds):
            await scenario.act(Run(findings, max(30, round(scenario.size * share)), directory, say))
    except TimeoutError:
        findings.failure = f"it took longer than {scenario.seconds:g} s"
    except (AssertionError, OSError) as error:
        findings.failure = str(error) or type(error).__name__
    findings.seconds = time.monotonic() - began
    return findings
