from __future__ import annotations

import msgspec

from streams.doctor.findings import bad, look, report, skipped, well


def test_a_report_is_fine_unless_something_fails():
    fine = [well("redis", "answers"), look("memory", "is nearly full", "Raise it."), skipped("front door", "no --url")]
    assert report(fine).ok
    assert not report([*fine, bad("role", "is a replica", "Name the primary.")]).ok


def test_a_report_is_written_for_scripts():
    written = msgspec.json.decode(msgspec.json.encode(report([bad("role", "is a replica", "Name the primary.")])))
    finding = {"check": "role", "state": "failure", "says": "is a replica", "remedy": "Name the primary."}
    assert written == {"ok": False, "findings": [finding]}


def test_what_was_skipped_says_why():
    assert skipped("front door", "--url names none").says == "not looked at: --url names none"
