"""Which of the log's events are one client's: a chain through the log for each, kept in columns."""

from __future__ import annotations


class Chains:
    """The clients of whom something is remembered; each has a number, which is its place in every column.

    Columns, because every event changes three of these values: an item of a list is the
    cheapest thing to change, and the garbage collector walks no object for each client.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.names: list[str] = []
        # The positions in the log of a client's first and last event, and how many it has.
        self.firsts: list[int] = []
        self.lasts: list[int] = []
        self.counts: list[int] = []
        # When the last of its events arrived that is forgotten.
        self.forgotten_at: list[float] = []
        # Whether any of its events went before the others.
        self.dropped: list[bool] = []
        self._vacant: list[int] = []

    def add(self, name: str, position: int, forgotten_at: float) -> int:
        """Begin a client's chain with its first event; return the client's number."""
        if self._vacant:
            number = self._vacant.pop()
            self.names[number] = name
            self.firsts[number] = self.lasts[number] = position
            self.counts[number], self.forgotten_at[number], self.dropped[number] = 1, forgotten_at, False
        else:
            number = len(self.names)
            self.names.append(name)
            self.firsts.append(position)
            self.lasts.append(position)
            self.counts.append(1)
            self.forgotten_at.append(forgotten_at)
            self.dropped.append(False)
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
