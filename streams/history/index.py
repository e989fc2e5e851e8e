"""Which of the remembered events are one client's: a chain through them for each, kept in columns."""

from __future__ import annotations


class Chains:
    """The clients of whom something is remembered; each has a number, which is its place in every column.

    Columns, because every event changes three of these values: an item of a list is the
    cheapest thing to change, and the garbage collector walks no object for each client.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        # The places of a client's first and last event, and how many it has.
        self.firsts: list[int] = []
        self.lasts: list[int] = []
        self.counts: list[int] = []
        # For each ingress, the moment of the last of its events that is forgotten.
        self.forgotten_at: tuple[list[float], list[float]] = ([], [])
        # Whether any of its events went before the others.
        self.dropped: list[bool] = []
        self._vacant: list[int] = []

    def add(self, name: str, place: int, forgotten_at: list[float]) -> int:
        """Begin a client's chain with its first event; return the client's number.

        `forgotten_at` has, for each ingress, the last moment of what is forgotten of all clients.
        """
        if self._vacant:
            number = self._vacant.pop()
            self.names[number] = name
            self.firsts[number] = self.lasts[number] = place
            self.counts[number], self.dropped[number] = 1, False
            for column, moment in zip(self.forgotten_at, forgotten_at, strict=True):
                column[number] = moment
        else:
            number = len(self.names)
            self.names.append(name)
            self.firsts.append(place)
            self.lasts.append(place)
            self.counts.append(1)
            self.dropped.append(False)
            for column, moment in zip(self.forgotten_at, forgotten_at, strict=True):
                column.append(moment)
        self.numbers[name] = number
        return number

    def remove(self, number: int) -> str:
        """End a client's chain; return the client's name."""
        name = self.names[number]
        self.names[number] = ""
        del self.numbers[name]
        self._vacant.append(number)
        return name

    def __len__(self) -> int:
        return len(self.numbers)
