from __future__ import annotations

import pytest

from streams.cluster.clock_offset import NOTE_SECONDS, PODS_NOTED, PODS_STATED, Lags


def lags(**noted: float) -> Lags:
    found = Lags()
    for pod, lag in noted.items():
        found.note(pod, lag, 0.0)
    return found


def test_the_offset_is_that_of_the_clocks():
    # The first one's clock is at 1000 when the second one's is at 400, and the third one's at 50.
    first = lags(first=0.001, second=600.001, third=950.001)
    second = lags(first=-599.999, second=0.001, third=350.001)
    assert first.offset(second.stated()) == pytest.approx(600)
    assert second.offset(first.stated()) == pytest.approx(-600)


def test_what_is_heard_late_does_not_count():
    here = lags(other=600.0)
    for seconds in range(50):
        here.note("other", 602.0, float(seconds))
    assert here.stated() == {"other": 600.0}


def test_a_pod_that_was_only_heard_late_does_not_count():
    here = lags(here=0.0, other=600.0, third=952.0)
    assert here.offset({"here": -600.0, "other": 0.0, "third": 350.0}) == 600.0


def test_of_two_pods_that_each_heard_the_other_late_neither_is_favoured():
    here, other = lags(here=0.0, other=602.0), lags(other=0.0, here=-598.0)
    assert here.offset(other.stated()) == 600.0
    assert other.offset(here.stated()) == -600.0


def test_pods_that_hear_no_pod_in_common_cannot_tell():
    assert lags(here=0.0).offset({"other": 0.0}) is None
    assert lags(here=0.0).offset({}) is None
    assert Lags().offset({"other": 0.0}) is None


def test_clocks_that_drift_are_followed():
    here = lags(other=600.0)
    for minute in range(1, 4):
        here.note("other", 600.0 + minute, minute * NOTE_SECONDS)
    assert here.stated() == {"other": 602.0}


def test_an_outage_ends_nothing():
    here = lags(other=600.0)
    here.note("other", 602.0, 100 * NOTE_SECONDS)
    assert here.stated() == {"other": 600.0}


def test_the_pods_heard_last_are_remembered_and_stated():
    here = Lags()
    for number in range(PODS_NOTED + 10):
        here.note(f"pod-{number}", float(number), 0.0)
        here.note("pod-0", 0.0, 0.0)
    stated = here.stated()
    assert len(stated) == PODS_STATED
    assert stated["pod-0"] == 0.0
    assert here.offset({"pod-1": 0.0}) is None
    assert here.offset({f"pod-{PODS_NOTED}": 0.0}) == PODS_NOTED
