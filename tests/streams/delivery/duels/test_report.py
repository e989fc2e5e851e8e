from __future__ import annotations

import pytest

from streams.delivery.connection import Connection
from streams.delivery.duels.report import log_duel
from tests.streams.builders import Recorder


def test_both_ends_of_a_duel_are_named(caplog: pytest.LogCaptureFixture):
    incumbent = Connection("STORE001-LANE01", Recorder(), "10.0.0.1:5000", user_agent="Till/1")
    newcomer = Connection("STORE001-LANE01", Recorder(), "10.0.0.2:6000")
    log_duel(incumbent, newcomer)
    (record,) = caplog.records
    text = record.getMessage()
    assert text.startswith(
        "Duel for STORE001-LANE01: 10.0.0.1:5000 (Till/1) holds it and 10.0.0.2:6000 (no User-Agent)"
    )
