"""Work that goes on in a thread of its own while a test does something else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def in_thread(run: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    """Call `run(over)` in a thread; it is to return once `over` is set, at the end."""
    over = threading.Event()
    thread = threading.Thread(target=run, args=(over,), name=name)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
