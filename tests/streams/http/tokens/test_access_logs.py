from __future__ import annotations

import logging

import pytest

from streams.http.tokens.access_logs import LOGGERS, hide_tokens, shown


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("/events/A?token=secret", "/events/A?..."),
        ("GET /admin?q=x&Access%5FToken=secret", "GET /admin?..."),
        ("http://host/admin?jwt=secret?", "http://host/admin?..."),
        ("/events/A?lastEventId=evt-1", "/events/A?lastEventId=evt-1"),
        ("/events/A?", "/events/A?"),
        ("token=secret", "token=secret"),
        (b"/events/A?token=secret", b"/events/A?token=secret"),
        (200, 200),
    ],
)
def test_shown(said: object, written: object):
    """A target has one place for a token, and what is none stays as it is."""
    assert shown(said) == written


@pytest.mark.parametrize("name", LOGGERS)
def test_hide_tokens(name: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    logger = logging.getLogger(name)
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.INFO, name)
    hide_tokens()
    hide_tokens()
    assert len(logger.filters) == 1
    logger.info('%s - "%s %s" %d', "127.0.0.1:5000", "GET", "/events/A?token=secret", 400)
    logger.info("HTTP %(method)s %(path)s", {"method": "GET", "path": "/events/A?token=secret", "size": 3})
    logger.info("Listening")
    assert caplog.messages == ['127.0.0.1:5000 - "GET /events/A?..." 400', "HTTP GET /events/A?...", "Listening"]
