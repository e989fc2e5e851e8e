"""Latencies in a histogram of fixed size, exact to a thousandth; pure."""

from __future__ import annotations

from array import array

# Each power of two is divided into this many buckets: one in 1,024 is the error.
SUB_BITS = 10
MAX_MICROSECONDS = (1 << 31) - 1
_BUCKETS = (31 - SUB_BITS + 1) << SUB_BITS


class Histogram:
    """Counts microseconds; as large after a day as after a second, and easy to add to another."""

    __slots__ = ("counts", "maximum")

    def __init__(self) -> None:
        self.counts = array("Q", bytes(8 * _BUCKETS))
        self.maximum = 0

    def record(self, microseconds: int, times: int = 1) -> None:
        """Count a latency; a clock that went backwards counts as none."""
        if microseconds > self.maximum:
            self.maximum = microseconds = min(microseconds, MAX_MICROSECONDS)
        elif microseconds < 0:
            microseconds = 0
        shift = max(0, microseconds.bit_length() - SUB_BITS - 1)
        self.counts[(shift << SUB_BITS) + (microseconds >> shift)] += times

    def add(self, other: Histogram) -> None:
        """Add the counts of another process."""
        for index, count in enumerate(other.counts):
            if count:
                self.counts[index] += count
        self.maximum = max(self.maximum, other.maximum)

    def percentile(self, share: float) -> float | None:
        """Give the microseconds that this share (0 to 1) did not exceed, None without any."""
        total = sum(self.counts)
        if not total:
            return None
        rank = max(1, -(-total * share // 1))
        for index, count in enumerate(self.counts):
            rank -= count
            if rank <= 0:
                return min(float(_upper(index)), float(self.maximum))
        return float(self.maximum)


def _upper(index: int) -> int:
    """Give the largest value that falls into a bucket."""
    # The first two powers share shift 0, so that small values stand for themselves.
    shift = max(0, (index >> SUB_BITS) - 1)
    return ((index - (shift << SUB_BITS) + 1) << shift) - 1
