"""Counters that the processes of a test share; each has one writer, so none needs a lock."""

from __future__ import annotations

from ctypes import Array, c_int64
from multiprocessing.context import SpawnContext

_STOP, _DELIVERABLE, _FOREIGN, _ACKNOWLEDGED, _LAG = range(5)
_FIRST_READER, _READER_CELLS = 5, 3
CONNECTED, FAILED, READ = range(3)

Cells = Array[c_int64]


class Board:
    """Names for the cells of one shared array."""

    def __init__(self, cells: Cells, readers: int) -> None:
        self.cells = cells
        self.readers = readers

    @classmethod
    def create(cls, context: SpawnContext, readers: int) -> Board:
        """Make a board for so many reader processes."""
        return cls(context.RawArray(c_int64, _FIRST_READER + _READER_CELLS * readers), readers)

    def reader_cell(self, reader: int, counter: int) -> int:
        """Say in which cell a reader keeps CONNECTED, FAILED or READ."""
        return _FIRST_READER + _READER_CELLS * reader + counter

    def total(self, counter: int) -> int:
        """Add up CONNECTED, FAILED or READ over all readers."""
        return sum(self.cells[_FIRST_READER + counter :: _READER_CELLS])

    @property
    def stopped(self) -> bool:
        """Say whether the publisher was told to stop."""
        return bool(self.cells[_STOP])

    def stop(self) -> None:
        """Tell the publisher to stop."""
        self.cells[_STOP] = 1

    @property
    def deliverable(self) -> int:
        """Give the number of events published for the test's own clients."""
        return self.cells[_DELIVERABLE]

    @property
    def foreign(self) -> int:
        """Give the number of events published for clients elsewhere."""
        return self.cells[_FOREIGN]

    @property
    def acknowledged(self) -> int:
        """Give the number of events that Redis took."""
        return self.cells[_ACKNOWLEDGED]

    @property
    def lag_microseconds(self) -> int:
        """Say how far, at the worst, the publisher was behind its schedule."""
        return self.cells[_LAG]

    def note_published(self, deliverable: int, foreign: int, acknowledged: int, lag_microseconds: int) -> None:
        """Write the publisher's counters."""
        self.cells[_DELIVERABLE] = deliverable
        self.cells[_FOREIGN] = foreign
        self.cells[_ACKNOWLEDGED] = acknowledged
        self.cells[_LAG] = lag_microseconds
