"""Small plots: values as the points of an SVG line and of the area under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

WIDTH = 300
HEIGHT = 56
# Two seconds share a point: a screen shows no more, and a page's stream carries half.
SECONDS_PER_POINT = 2
# Keeps the line inside its box at the peak.
HEADROOM = 3


class Plot(NamedTuple):
    """The `points` of a polyline and of a polygon, in a box of WIDTH by HEIGHT."""

    line: str
    area: str


def plot(values: Sequence[float], seconds: int) -> Plot:
    """Draw one value for each second, the newest at the right edge, in a box `seconds` wide."""
    if not values:
        return Plot("", "")
    # Points are counted from the newest, and the highest of each pair is kept: a spike must not vanish.
    newest_first = list(values)[::-1]
    points = [max(newest_first[i : i + SECONDS_PER_POINT]) for i in range(0, len(newest_first), SECONDS_PER_POINT)]
    high = max(max(points), 1)
    step = WIDTH / (seconds / SECONDS_PER_POINT - 1)
    drawn = [
        f"{WIDTH - index * step:.0f},{HEIGHT - value / high * (HEIGHT - HEADROOM):.1f}"
        for index, value in enumerate(points)
    ]
    left = WIDTH - (len(points) - 1) * step
    return Plot(" ".join(drawn), f"{WIDTH},{HEIGHT} {' '.join(drawn)} {left:.0f},{HEIGHT}")
