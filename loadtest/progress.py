"""A progress bar on stderr, where a person is looking."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


class Bar:
    """Shows one phase after the other; silent where stderr is no terminal.

    `title` stands before the name of the phase.
    """

    def __init__(self, title: str = "") -> None:
        self._title = title
        self._phase = ""
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.close()

    def show(self, phase: str, done: int, total: int) -> None:
        """Move the bar, or begin one for a new phase."""
        if not sys.stderr.isatty():
            return
        if phase != self._phase or self._bar is None:
            if self._bar:
                self._bar.close()
            self._phase = phase
            self._bar = tqdm(desc=f"{self._title}{phase:<9}", total=total or None, file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)
