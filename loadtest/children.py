"""The processes of a load test: started, listened to, stopped."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from loadtest import processes
from loadtest.errors import LoadTestError

TICK_SECONDS = 0.05

Child = tuple[BaseProcess, Connection]


class Children:
    """Starts processes, and ends all of them."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self._children: list[BaseProcess] = []

    def start(self, target: Callable[..., None], name: str, *arguments: Any) -> Child:
        """Start a function in a process of its own; the pipe to it is its last argument."""
        ours, theirs = self.context.Pipe()
        child = self.context.Process(target=target, name=name, args=(*arguments, theirs), daemon=True)
        child.start()
        # Only the child holds the other end: its death is then the end of the pipe.
        theirs.close()
        self._children.append(child)
        return child, ours

    def stop(self) -> None:
        """End all processes."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            child.join()


def wait_for(pipes: list[Connection], seconds: float, report: Callable[[], None] | None = None) -> list[Any]:
    """Return one answer from every pipe, in their order; without pipes, let the time pass.

    Raises the error that a process sent, or LoadTestError when one died or hangs.
    """
    answers: dict[Connection, Any] = {}
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0 and (not pipes or len(answers) < len(pipes)):
        if report:
            report()
        open_pipes = [pipe for pipe in pipes if pipe not in answers]
        if not open_pipes:
            time.sleep(min(TICK_SECONDS, left))
            continue
        for pipe in wait(open_pipes, min(TICK_SECONDS, left)):
            answers[pipe] = _receive(pipe)  # type: ignore[index,arg-type]
    if len(answers) < len(pipes):
        raise LoadTestError(f"A process of this tool did not answer within {seconds:.0f} s.")
    return [answers[pipe] for pipe in pipes]


def _receive(pipe: Connection) -> Any:
    try:
        answer = pipe.recv()
    except (EOFError, ConnectionResetError):
        raise LoadTestError("A process of this tool ended by itself; its reason stands above.") from None
    if isinstance(answer, LoadTestError):
        raise answer
    return answer


def cpu_of(child: BaseProcess) -> float:
    """Read the CPU seconds of a child, 0 when it has ended."""
    try:
        return processes.cpu_seconds(child.pid or 0)
    except LoadTestError:
        return 0.0
