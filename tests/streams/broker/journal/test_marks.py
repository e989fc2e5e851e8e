from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.broker.journal.entries import Entry, entry_parts
from streams.broker.journal.marks import mark, read_marks
from streams.history.coverage import Ingress
from streams.history.losses import Loss

NOW = 1000.0


def moment(entry_id: bytes) -> float:
    return entry_parts(entry_id)[0] / 1000


def entry(fields: dict[str, str]) -> Entry:
    return b"%d-0" % (NOW * 1000), {name.encode(): value.encode() for name, value in fields.items()}


@given(st.sampled_from(Ingress), st.floats(0, 1e6), st.floats(0, 1e6))
def test_a_mark_is_read_as_it_was_set(ingress: Ingress, since: float, until: float):
    loss = Loss(ingress, NOW - since, NOW - until)
    (found,) = read_marks([entry(mark(loss, NOW))], moment)
    assert found.ingress is ingress
    assert (found.since, found.until) == pytest.approx((loss.since, loss.until), abs=0.001)


@pytest.mark.parametrize(
    "change",
    [{"ingress": "queue"}, {"since": "long ago"}, {"until": ""}],
)
def test_what_another_version_marked_is_left_out(change: dict[str, str]):
    good = mark(Loss(Ingress.JOURNAL, NOW - 2, NOW - 1), NOW)
    assert read_marks([entry(good | change), (b"5-0", {}), entry(good)], moment) == [
        Loss(Ingress.JOURNAL, NOW - 2, NOW - 1)
    ]
