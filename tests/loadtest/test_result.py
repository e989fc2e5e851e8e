"""What a result says about the pod and about this tool."""

from __future__ import annotations

import msgspec

from loadtest.report import table
from loadtest.result import Result, limits

GOOD = Result(
    url="http://127.0.0.1:3000",
    run="0123abcd",
    connections=10,
    connected=10,
    planned=100,
    published=100,
    acknowledged=100,
    read=100,
    cpu_share=0.5,
)


def changed(**changes: object) -> Result:
    return msgspec.structs.replace(GOOD, **changes)


def test_a_good_result_has_no_faults_and_no_limits():
    assert GOOD.faults() == []
    assert limits(GOOD) == []


def test_every_fault_has_its_sentence():
    assert "3 of 10 could not connect: HTTP 503 (3)." in changed(connect_failures=3, errors={"HTTP 503": 3}).faults()
    assert "1 events lost, 2 doubled, 3 out of order." in changed(lost=1, doubled=2, out_of_order=3).faults()
    assert "2 streams ended during the test." in changed(closed_by_server=2).faults()
    assert "No pod listens" in changed(unheard=100).faults()[0]


def test_says_when_the_tool_was_the_limit():
    assert "Reader 1 used 97% of a core" in limits(changed(reader_cpu_shares=[0.2, 0.97]))[0]
    assert "publisher used 99%" in limits(changed(publisher_cpu_share=0.99))[0]
    assert "Only 100 of 200 events" in limits(changed(planned=200))[0]
    assert "150 ms behind" in limits(changed(publisher_lag_ms=150.0))[0]
    assert "The pod used 50% of a core" in limits(changed(planned=0))[0]


def test_an_interrupted_test_is_not_late():
    assert limits(changed(planned=200, interrupted=True)) == []


def test_the_table_has_what_was_measured():
    text = table(changed(latency_p50_ms=0.5, latency_p99_ms=1.0, latency_p999_ms=2.0, latency_max_ms=3.0))
    assert "connected" in text
    assert "latency p99.9, ms" in text
    assert "KiB per connection" not in text


def test_the_json_has_camel_case_keys():
    assert b'"connectsPerSecond":' in msgspec.json.encode(GOOD)
