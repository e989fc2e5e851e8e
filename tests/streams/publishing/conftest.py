"""A roster of the test's own, as that of the roster's tests."""

from __future__ import annotations

from tests.streams.roster.conftest import fleet

__all__ = ["fleet"]
