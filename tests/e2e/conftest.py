from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support import http


@pytest.fixture(autouse=True)
async def no_stream_left_open() -> AsyncIterator[None]:
    """Close what a test that failed left open, so that its failure is the only one."""
    yield
    while http.left_open:
        await http.left_open.pop().close()
