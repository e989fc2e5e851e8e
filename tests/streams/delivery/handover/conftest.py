"""The handover of a pod, and the history that it answers from."""

from __future__ import annotations

import pytest

from streams.delivery.handover import Handover
from streams.history.messages import History
from tests.streams.delivery.handover.streams import NOW, proved
from tests.streams.history.histories import all_heard


@pytest.fixture
def history() -> History:
    return History(300, 2**20, 100, NOW)


@pytest.fixture
def handover(history: History) -> Handover:
    handover = Handover(
        "one", history, lambda name, event_id, _given: history.marks_of(name, event_id, all_heard, proved)
    )
    handover.listen(NOW)
    return handover
