"""Loss, doubles and order of the events of one client; pure."""

from __future__ import annotations


class Tally:
    """Follows the sequence numbers of one client, which begin at 0.

    The reader moves `expected` itself where the number is the expected one, and
    calls `deviate` for any other.
    """

    __slots__ = ("_missing", "doubled", "expected", "out_of_order")

    def __init__(self) -> None:
        self.expected = 0
        self.doubled = 0
        self.out_of_order = 0
        # Nearly every client keeps none: 10,000 empty sets would be two megabytes.
        self._missing: set[int] | None = None

    def deviate(self, number: int) -> None:
        """Note a number that is not the expected one."""
        if number > self.expected:
            if self._missing is None:
                self._missing = set()
            self._missing.update(range(self.expected, number))
            self.expected = number + 1
        elif self._missing and number in self._missing:
            self._missing.remove(number)
            self.out_of_order += 1
        else:
            self.doubled += 1

    def lost(self, published: int) -> int:
        """Say how many of the published events never came."""
        missing = sum(number < published for number in self._missing or ())
        return missing + max(0, published - self.expected)
