"""Programs of the suite, whose logs are searched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.processes import ChildProcess
from tests.support.leaks.watch import watch


class Program(ChildProcess):
    """A program that tells none of what it was given."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], **options: Any) -> None:
        super().__init__(name, command, environment, **options)
        if self.log_path is not None:
            watch.follow(self.process, self.log_path, environment)
