"""Run a management command on a machine whose clock a test sets: SIGUSR1 two hours forward, SIGUSR2 two hours back.

Only Python's Unix time is set, before anything else has seen it; the monotonic clock never is, on any machine.
"""

from __future__ import annotations

import os
import signal
import sys
import time

STEP_SECONDS = 7200.0

true_time = time.time
ahead = 0.0


def set_clock(number: int, _frame: object) -> None:
    global ahead
    ahead += STEP_SECONDS if number == signal.SIGUSR1 else -STEP_SECONDS


def main() -> None:
    time.time = lambda: true_time() + ahead
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, set_clock)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sseproject.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
