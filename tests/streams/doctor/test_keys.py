from __future__ import annotations

import pytest

from streams.broker.journal.marks import MARKS_SUFFIX, MET_INFIX
from streams.broker.journal.reader import JOURNAL_SUFFIX
from streams.doctor.keys import KEYS, channel_of, key_of
from streams.roster.keys import ROSTER

CHANNEL = "till"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (JOURNAL_SUFFIX, ":log"),
        (JOURNAL_SUFFIX + MARKS_SUFFIX, ":log:lost"),
        (JOURNAL_SUFFIX + MET_INFIX + "0a", ":log:met:<history>"),
        (f"{ROSTER}here:0a:STORE:1", ":roster:here:<history>:<store>"),
        (f"{ROSTER}known:", ":roster:known:<store>"),
        (f"{ROSTER}large:STORE001", ":roster:large:<store>"),
        (f"{ROSTER}other:STORE001", None),
        (":logs", None),
        (":log:", None),
        ("", None),
    ],
)
def test_key_of_finds_the_declared_key(name: str, expected: str | None):
    found = key_of(CHANNEL, CHANNEL + name)
    assert (found and found.name) == expected


def test_channel_of_finds_the_declared_channel():
    names = ("", ":canary:0a", ":pods:__group__pods", ":canary", ":others:0a")
    found = [channel_of(CHANNEL, CHANNEL + name) for name in names]
    assert [each and each.name for each in found] == ["", ":canary:<life>", ":pods:<…>", None, None]


def test_no_key_is_declared_twice():
    assert len({key.name for key in KEYS}) == len(KEYS)
    for key in KEYS:
        name = key.name.replace("<", "").replace(">", "")
        assert key_of("till", f"till{name}") is key
