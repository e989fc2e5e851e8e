"""What the scenarios found: figures, some of them with a limit, for people and for scripts; pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `at_most` is what is promised, None where it is only to be known."""

    what: str
    value: float
    unit: str = ""
    at_most: float | None = None

    @property
    def kept(self) -> bool:
        return self.at_most is None or self.value <= self.at_most


@dataclass(slots=True)
class Findings:
    """What one scenario found; `failure` says why it did not come to its end."""

    name: str
    title: str
    figures: list[Figure] = field(default_factory=list)
    seconds: float = 0.0
    failure: str = ""

    def note(self, what: str, value: float, unit: str = "", *, at_most: float | None = None) -> None:
        self.figures.append(Figure(what, value, unit, at_most))

    @property
    def passed(self) -> bool:
        return not self.failure and all(figure.kept for figure in self.figures)


def failures(found: Iterable[Findings]) -> list[str]:
    """Return what must not be, in words; nothing for a good run."""
    said = []
    for findings in found:
        if findings.failure:
            said.append(f"{findings.name}: {findings.failure}")
        said += [
            f"{findings.name}: {figure.what}: {number(figure.value)} {figure.unit}".rstrip()
            + f", more than {number(figure.at_most or 0)}"
            for figure in findings.figures
            if not figure.kept
        ]
    return said


def table(found: Iterable[Findings]) -> str:
    """Return all figures, a part for each scenario."""
    return "\n\n".join(map(part, found))


def part(findings: Findings) -> str:
    """Return the figures of one scenario."""
    lines = [f"{findings.name}: {findings.title} ({findings.seconds:.0f} s)"]
    for figure in findings.figures:
        limit = "" if figure.at_most is None else f"(at most {number(figure.at_most)})"
        mark = " " if figure.kept else "!"
        lines.append(f"{mark} {figure.what:<72} {number(figure.value):>11} {figure.unit:<12} {limit}".rstrip())
    if findings.failure:
        lines.append(f"! {findings.failure}")
    return "\n".join(lines)


def number(value: float) -> str:
    """Write a value with as many digits as say something."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def as_json(found: Iterable[Findings]) -> str:
    """Return one object for scripts."""
    scenarios = [{**asdict(findings), "passed": findings.passed} for findings in found]
    return json.dumps({"passed": all(each["passed"] for each in scenarios), "scenarios": scenarios})
