"""`make soak`: exit 0 when a pod is as large after very many connects as it was after the first of them."""

from __future__ import annotations

import argparse
import sys
import time

from tests.soak.soaking import MIB, assert_flat, soak

SLACK_BYTES = 4 * MIB


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--connects", type=int, default=2_000_000, help="end after so many (default %(default)s)")
    parser.add_argument("--minutes", type=float, default=20.0, help="or after this time (default %(default)s)")
    options = parser.parse_args()
    began = time.monotonic()
    try:
        looks = soak(options.connects, 60 * options.minutes, lambda line: print(line, flush=True))
        assert_flat(looks, SLACK_BYTES)
    except AssertionError as error:
        print(f"Not flat, or worse: {error}", file=sys.stderr)
        return 1
    grown = looks[-1].resident_bytes - looks[0].resident_bytes
    minutes = (time.monotonic() - began) / 60
    print(f"Flat: {looks[-1].connects:,} connects in {minutes:.1f} minutes; memory {grown / MIB:+.1f} MiB since warm")
    return 0


if __name__ == "__main__":
    sys.exit(main())
