"""Marks of values that tests are given."""

from __future__ import annotations

from typing import Any

import pytest


def long(value: Any, id: str | None = None) -> Any:
    """Leave a value, one of several of a test, to `make long`."""
    return pytest.param(value, marks=pytest.mark.long, id=id)
