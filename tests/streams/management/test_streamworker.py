from __future__ import annotations

import pytest

from streams.conf import read_settings
from streams.management.commands import streamworker
from tests.support.pods import LOCKS_OFF


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is warned of."""
    said: list[str] = []
    monkeypatch.setattr(streamworker.logger, "warning", lambda sentence, *values: said.append(sentence % values))
    return said


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pod.example"])
def test_warn_if_open_names_a_pod_in_development_that_other_machines_reach(host: str, warnings: list[str]):
    streamworker.warn_if_open(read_settings({"HOST": host}))
    (sentence,) = warnings
    assert sentence.startswith(f"Whoever reaches {host} may use all pages of this pod")
    assert "ENVIRONMENT=production" in sentence


@pytest.mark.parametrize("values", [{}, {"HOST": "localhost"}, {"HOST": "::1"}, {"HOST": "127.0.0.9"}])
def test_warn_if_open_is_quiet_on_one_machine(values: dict[str, str], warnings: list[str]):
    streamworker.warn_if_open(read_settings(values))
    assert not warnings


def test_warn_if_open_is_quiet_in_production(warnings: list[str]):
    streamworker.warn_if_open(read_settings({"HOST": "0.0.0.0", "ENVIRONMENT": "production", **LOCKS_OFF}))
    assert not warnings
