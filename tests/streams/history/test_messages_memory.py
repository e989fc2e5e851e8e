"""The process grows by what the history says, whatever a publisher sends."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections.abc import Iterable

import pytest

from streams.history.messages import BYTES_FOR_A_LAST_ID
from tests.streams.history.histories import CHANNEL, NO_LIMIT, STARTED, make_history, message


@pytest.mark.parametrize("clients", [50, 1000, 10_000])
def test_memory_is_what_it_says(clients: int):
    chosen, max_bytes = random.Random(1), 2 << 20
    gc.collect()
    tracked = len(gc.get_objects())
    tracemalloc.start()
    try:
        history = make_history(max_bytes=max_bytes, per_client=NO_LIMIT)
        for number in range(12_000):
            # A name of its own for each event, as the decoder makes them.
            name = f"STORE{chosen.randrange(clients):05d}-LANE01"
            history.extend([name], [message(f"evt-{number:010d}", padding=190)], STARTED + number / 1000, CHANNEL)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(history.events_of(name, 1)[0][1]) == 250
    assert used == pytest.approx(max_bytes, rel=0.2)
    assert history.statistics().bytes == pytest.approx(max_bytes, rel=0.01)
    gc.collect()
    assert len(gc.get_objects()) - tracked < 1000, "nothing that the garbage collector tracks for an event or a client"


def grown_by(max_bytes: int, events: Iterable[tuple[str, bytes]]) -> int:
    """Return by how many bytes a process grows that takes in events and lets all of them expire."""
    tracemalloc.start()
    try:
        history = make_history(max_bytes=max_bytes)
        for name, written in events:
            history.extend([name], [written], STARTED + 100, CHANNEL)
        history.expire(STARTED + 1000)
        assert history.statistics().events == 0
        assert history.statistics().bytes == 0
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name_bytes", "id_bytes"), [(100, 20_000), (20_000, 20), (20_000, 20_000), (128, 128)])
def test_names_and_last_ids_of_any_length_are_bounded(name_bytes: int, id_bytes: int):
    """What had expired left its id, and under its name, of whatever length: hundreds of MiB beyond HISTORY_BYTES."""
    max_bytes = 1 << 20
    count = 2 * max_bytes // BYTES_FOR_A_LAST_ID
    events = ((f"N{number:0{name_bytes - 1}d}", message("x" * id_bytes)) for number in range(count))
    assert grown_by(max_bytes, events) < max_bytes / 4
