"""What the roster's script does in Redis, in Python: for the simulation, and for pods without I/O."""

from __future__ import annotations

from typing import NamedTuple

from streams.roster.script import CORRECT_MS, WAITED_MS, Item, Kind, Outcome, Verdict


class Holder(NamedTuple):
    """Who has a name: a life, the number of its connection, and when that opened, by Redis' clock."""

    life: str
    number: int
    opened_ms: int


class RosterModel:
    """What the script does, for the histories of one Redis."""

    def __init__(self) -> None:
        # By the history's id, then by the client's name.
        self.here: dict[str, dict[str, Holder]] = {}
        # The names whose last end was noted.
        self.seen: dict[str, str] = {}
        self.lives: set[str] = set()

    def copy(self) -> RosterModel:
        copied = RosterModel()
        copied.here = {history: dict(names) for history, names in self.here.items()}
        copied.seen, copied.lives = dict(self.seen), set(self.lives)
        return copied

    def forget(self) -> None:
        """FLUSHALL."""
        self.__init__()  # type: ignore[misc]

    def beat(self, life: str) -> bool:
        """Note that a pod lives; say whether it was known."""
        known = life in self.lives
        self.lives.add(life)
        return known

    def say(self, history: str, life: str, lines: str, now_ms: int, sent_ms: int) -> list[Outcome]:
        """Run the script."""
        waited = now_ms - sent_ms if 0 <= now_ms - sent_ms <= WAITED_MS else 0
        here, found = self.here.setdefault(history, {}), []
        for place, item in enumerate(map(read_line, lines.splitlines())):
            held = here.get(item.client_name)
            mine = held is not None and (held.life, held.number) == (life, item.number)
            if item.kind is Kind.RELEASE:
                if mine or held is None:
                    here.pop(item.client_name, None)
                    self.seen[item.client_name] = item.reason
                continue
            opened = now_ms - waited - round(1000 * item.age)
            if held is not None and mine:
                if abs(held.opened_ms - opened) > CORRECT_MS:
                    here[item.client_name] = Holder(life, item.number, opened)
                continue
            if item.kind is Kind.CLAIM and held is not None:
                if held.life == life and held.number > item.number:
                    continue
                if held.life != life and opened < held.opened_ms <= now_ms:
                    found.append(Outcome(place, Verdict.LOST, held.life, held.number))
                    continue
            here[item.client_name] = Holder(life, item.number, opened)
            if held is not None and held.life != life:
                found.append(Outcome(place, Verdict.REPLACED, held.life, held.number))
        return found


def read_line(line: str) -> Item:
    """Read one item as the script does."""
    kind, name, number, word = line.split(" ")
    if kind == Kind.RELEASE:
        return Item(Kind.RELEASE, name, int(number), reason=word)
    return Item(Kind(kind), name, int(number), int(word) / 1000)
