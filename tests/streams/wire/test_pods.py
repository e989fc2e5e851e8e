from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.wire.pods import Answer, PodMessage, Question, Statement, decode_pod_messages, encode_pod_messages

MESSAGES: list[PodMessage] = [
    Statement("life-1", "pod-1", 12.5, (0.25, 1.5)),
    Question("life-1", 3, "STORE001-LANE01", "evt-1"),
    Answer("life-2", 3, ["00ff", "00ff"]),
]


def test_pods_understand_each_other():
    assert decode_pod_messages(encode_pod_messages(MESSAGES)) == MESSAGES
    assert decode_pod_messages(encode_pod_messages([])) == []


def test_the_form_is_the_one_that_other_versions_read():
    assert encode_pod_messages(MESSAGES) == (
        b'[{"type":"statement","life":"life-1","pod_name":"pod-1","sent":12.5,"ages":[0.25,1.5]},'
        b'{"type":"question","life":"life-1","number":3,"client_name":"STORE001-LANE01","event_id":"evt-1"},'
        b'{"type":"answer","life":"life-2","number":3,"digests":["00ff","00ff"]}]'
    )


def test_what_a_later_version_adds_is_passed_over():
    assert decode_pod_messages(b'[{"type":"answer","life":"a","number":1,"digests":[],"new":1}]') == [
        Answer("a", 1, [])
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1762000000.5",
        b'{"type":"answer"}',
        b'[{"type":"answer","life":"a","number":1}]',
        b'[{"type":"shout","life":"a"}]',
        b'[{"type":"statement","life":"a","pod_name":"p","sent":1,"ages":[1]}]',
        b'[{"type":"answer","life":"\xff","number":1,"digests":[]}]',
        b'[{"type":"answer","life":"%b","number":1,"digests":[]}]' % (b"a" * 65),
        b'[{"type":"statement","life":"a","pod_name":"%b","sent":1,"ages":[1,1]}]' % (b"p" * 254),
        b"[" * 100_000,
    ],
)
def test_what_is_of_another_version_is_nothing(data: bytes):
    assert decode_pod_messages(data) == []


@given(st.binary())
def test_never_raises(data: bytes):
    decode_pod_messages(data)
