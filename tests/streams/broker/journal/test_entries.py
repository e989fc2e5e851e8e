from __future__ import annotations

from streams.broker.journal.entries import Entry, entry_parts, read_entries


def test_read_entries_takes_the_replies_of_both_protocols():
    entries: list[Entry] = [(b"1-0", {b"event": b"x"}), (b"2-0", {b"event": b"y"})]
    assert read_entries(None) == read_entries([]) == read_entries({}) == []
    assert read_entries([[b"key", entries]]) == entries
    assert read_entries({b"key": [entries]}) == entries
    assert read_entries({b"key": []}) == []


def test_entry_parts_are_a_time_and_a_number():
    assert entry_parts(b"1700000000123-4") == (1_700_000_000_123, 4)
    assert entry_parts(b"9-0") < entry_parts(b"10-0")


def test_read_entries_gives_those_of_a_reply_in_their_order_with_all_their_fields():
    entries: list[Entry] = [(b"1-0", {b"event": b"x", b"other": b"y"}), (b"1-1", {})]
    assert read_entries([(b"key", entries)]) == entries
    assert read_entries([(b"key", [])]) == []
