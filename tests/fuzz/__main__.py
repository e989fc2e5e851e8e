"""`make fuzz`: exit 0 when a pod answered thousands of requests as its document says, and never with a 5xx."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.fuzz.fuzzing import fuzz, variables
from tests.support.pods import Pod, environment
from tests.support.redis_server import running_redis

# Of each operation; with those at the bounds it makes over 5,000 of all.
EXAMPLES = 500


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES, help="for each operation (default %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="make the same requests again")
    options = parser.parse_args()
    with running_redis() as redis_server, tempfile.TemporaryDirectory() as folder:
        pod = Pod("streamworker", Path(folder) / "pod.log", environment(**variables(redis_server.url)))
        try:
            pod.wait_ready()
            found = fuzz(pod, options.examples, seed=options.seed)
        finally:
            pod.terminate()
        pod.assert_no_traceback()
    print(found.report)
    print(f"{found.requests:,} requests; SEED={options.seed} makes them again")
    return 0 if found.clean and found.requests else 1


if __name__ == "__main__":
    sys.exit(main())
