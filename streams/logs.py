"""Log records as text with the service's prefixes, or as JSON objects."""

from __future__ import annotations

import functools
import json
import logging
import re
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec

from streams.log_sink import BackgroundHandler
from streams.wire.timestamps import iso

PREFIX_ROOT = "sse."
# What a log is searched by.
FIELDS = ("clientName", "reason", "address", "userAgent", "seconds", "events", "evictedBy")
# Those of them that no sentence holds.
TEXT_FIELDS = ("address", "userAgent", "evictedBy")
WORD = re.compile(r"[\w.:/\[\]@+-]+", re.ASCII)
# How often a pod says that Redis is still away.
ERROR_LOG_SECONDS = 10.0


class TextFormatter(logging.Formatter):
    """`2026-01-05T12:00:00.000Z [REDIS] Connected …`, with the logger's whole name where it is not the service's own.

    Of a record's `fields` those follow that its sentence does not hold.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record on one line, a traceback below it."""
        line = f"{iso(record.created)} [{prefix_of(record)}] {record.getMessage()}"
        fields = fields_of(record)
        for name in TEXT_FIELDS if fields else ():
            if value := fields.get(name):
                line += f" {name}={quoted(value)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """The same records, each a JSON object on one line, with what its `fields` hold beside the sentence."""

    def __init__(self, pod_name: str) -> None:
        super().__init__()
        self._pod_name = pod_name

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one JSON object."""
        fields: dict[str, Any] = {
            "timestamp": iso(record.created),
            "level": record.levelname.lower(),
            "prefix": prefix_of(record),
            "message": record.getMessage(),
            "podName": self._pod_name,
            **fields_of(record),
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        try:
            return msgspec.json.encode(fields).decode()
        except UnicodeEncodeError:
            # Half of a pair of surrogates, in what somebody sent: JSON knows it by its number alone.
            return json.dumps(fields)


class ProbeFilter(logging.Filter):
    """Drops Django's line for each 503: probes ask every few seconds for as long as Redis is away."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether the record is to be written."""
        return getattr(record, "status_code", None) != HTTPStatus.SERVICE_UNAVAILABLE


class QueryFilter(logging.Filter):
    """Takes the query off the address in a line of uvicorn's access log: a client may have put a token there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, and say that it is to be written."""
        if isinstance(record.args, tuple):
            record.args = tuple(arg.partition("?")[0] if isinstance(arg, str) else arg for arg in record.args)
        return True


class Sparingly:
    """Says one thing once in so many seconds, however often it happens.

    if times := sparingly.due():
        logger.warning("… (%d times): %s", times, error)
    """

    def __init__(self, seconds: float = ERROR_LOG_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._due = float("-inf")
        self._times = 0

    def due(self) -> int:
        """Count one more; return 0 where no line is due, or how many times one that is written now stands for."""
        self._times += 1
        now = self._clock()
        if now < self._due:
            return 0
        self._due = now + self._seconds
        times, self._times = self._times, 0
        return times


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record is found by: `logger.info(…, extra={"fields": {"clientName": name}})`."""
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def quoted(value: object) -> str:
    """Return a value as one word, or in quotes: what a device calls itself stays on its line."""
    text = str(value)
    return text if WORD.fullmatch(text) else msgspec.json.encode(text).decode()


def prefix_of(record: logging.LogRecord) -> str:
    """Return `REDIS` for the logger `sse.redis`, and the whole name of any other."""
    return _prefix(record.name)


@functools.cache
def _prefix(name: str) -> str:
    return name.removeprefix(PREFIX_ROOT).upper() if name.startswith(PREFIX_ROOT) else name


def configuration(level: str, log_format: str, pod_name: str) -> dict[str, Any]:
    """Return Django's LOGGING: everything to standard error, at one level, in one form."""
    # No line names a thread, a process or a place in the source, and finding them out
    # would cost more than the rest of a line: there are two for each connection.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - as logging's own HOWTO says
    text = {"()": TextFormatter}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"text": text, "json": {"()": JsonFormatter, "pod_name": pod_name}},
        "filters": {"probes": {"()": ProbeFilter}},
        "handlers": {"console": {"()": BackgroundHandler, "formatter": log_format, "filters": ["probes"]}},
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "sse": {"level": level.upper()},
            # Who changed what is wanted in every log.
            "sse.audit": {"level": "INFO"},
            # It writes a traceback a second while Redis is away, which membership.py says in a line.
            "channels_redis": {"level": "CRITICAL"},
            # Django's own handlers would write each error a second time, as text.
            "django": {"handlers": [], "propagate": True},
            # A device that asks for an unknown path is no news.
            "django.request": {"level": "ERROR"},
        },
    }
