from __future__ import annotations

import pytest

from streams.doctor.findings import State
from streams.doctor.process import Said, judge_descriptors, judge_settings

SAID = Said("streams.W001", False, "MAX_CONNECTIONS is 9.", "Raise the limit.")


@pytest.mark.parametrize(
    ("descriptors", "state", "says"),
    [
        (None, State.WELL, "any number"),
        (20_000, State.WELL, "enough for 19,936 streams"),
        (1024, State.LOOK, "enough for 960 streams"),
        (10, State.LOOK, "enough for 0 streams"),
    ],
)
def test_descriptors(descriptors: int | None, state: State, says: str):
    found = judge_descriptors(descriptors, 64, [])
    assert found.state is state
    assert says in found.says


def test_descriptors_that_are_fewer_than_the_settings_want():
    found = judge_descriptors(20_000, 64, [SAID])
    assert (found.state, found.says, found.remedy) == (State.LOOK, SAID.sentence, SAID.hint)


def test_settings():
    (fine,) = judge_settings([])
    assert fine.state is State.WELL
    error, warning = judge_settings([SAID._replace(is_error=True), SAID])
    assert (error.state, warning.state) == (State.BAD, State.LOOK)
    assert error.says == "MAX_CONNECTIONS is 9. (streams.W001)"
