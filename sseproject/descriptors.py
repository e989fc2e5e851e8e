"""Standard input, output and error for a process that was started without them."""

from __future__ import annotations

import os
import sys


def hold_standard_descriptors() -> None:
    """Open /dev/null as each of descriptors 0 to 2 that is closed, before anything else takes its number.

    A socket would be 2 otherwise, and a child process or a library would write its errors to a device.
    """
    # The lowest number that is free is the one that is given.
    while (lowest := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(lowest, True)
    os.close(lowest)
    # Python has made no files of those that it found closed.
    sys.stdin = sys.stdin or os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
