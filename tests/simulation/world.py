"""Simulated time: what is due happens in order, and nothing else makes it pass."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from typing import Any

# What a Unix clock says when a simulation begins.
EPOCH = 1_767_225_600.0

Action = Callable[..., None]


class World:
    """The time and the chance of one run, and the story of what happened in it."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.rng = random.Random(seed)
        self.story: list[str] = []
        self._due: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._number = 0

    def wall(self) -> float:
        return EPOCH + self.now

    def after(self, seconds: float, action: Action, *arguments: Any) -> None:
        self.at(self.now + seconds, action, *arguments)

    def at(self, moment: float, action: Action, *arguments: Any) -> None:
        self._number += 1
        heapq.heappush(self._due, (moment, self._number, action, arguments))

    def run_until(self, moment: float) -> None:
        due = self._due
        while due and due[0][0] <= moment:
            self.now, _, action, arguments = heapq.heappop(due)
            action(*arguments)
        self.now = moment

    def tell(self, *words: object) -> None:
        self.story.append(f"{self.now:9.4f}  {' '.join(map(str, words))}")

    def chance(self, share: float) -> bool:
        return self.rng.random() < share


class Link:
    """One direction of one connection: what is sent arrives in order, or not at all."""

    def __init__(self, world: World, delay: float = 0.001) -> None:
        self.delay = delay
        self.swallowing = False
        self._world = world
        self._free_at = 0.0
        self._life = 0

    def send(self, action: Action, *arguments: Any) -> None:
        if self.swallowing:
            return
        at = max(self._free_at, self._world.now + self.delay * (0.5 + self._world.rng.random()))
        self._free_at = at
        # The very moment: a difference is rounded, and one would overtake the other.
        self._world.at(at, self._arrive, self._life, action, arguments)

    def _arrive(self, life: int, action: Action, arguments: tuple[Any, ...]) -> None:
        if life == self._life and not self.swallowing:
            action(*arguments)

    def drop(self) -> None:
        """Lose what is under way."""
        self._life += 1
        self.swallowing = False
