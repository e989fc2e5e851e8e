"""Run the simulation: `make simulate [SEED=n] [RUNS=n]`; a seed that fails tells its shortest story."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import multiprocessing
import sys
import time

from tqdm import tqdm

from tests.simulation.run import shortest, simulate
from tests.simulation.verdict import Result

RUNS = 2_000
# So many seeds for one process at a time.
BATCH = 50


def run_batch(first: int, count: int) -> list[Result]:
    logging.disable(logging.CRITICAL)
    # A tenth of the time goes into looking for garbage otherwise.
    gc.set_threshold(100_000, 20, 50)
    results = [simulate(seed) for seed in range(first, first + count)]
    for result in results:
        if not result.problems:
            result.story = []
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how many seeds (default {RUNS})")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--json", action="store_true", help="print the sums as one JSON object")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    batches = [
        (first, min(BATCH, options.seed + options.runs - first))
        for first in range(options.seed, options.seed + options.runs, BATCH)
    ]
    began, sums, failed = time.monotonic(), {"runs": 0, "published": 0, "named": 0, "doubled": 0}, []
    with multiprocessing.Pool(options.processes) as pool, tqdm(total=options.runs, disable=None, unit="run") as bar:
        for results in pool.imap_unordered(_run_batch, batches):
            bar.update(len(results))
            for result in results:
                sums["runs"] += 1
                for name in ("published", "named", "doubled"):
                    sums[name] += getattr(result, name)
                if result.problems:
                    failed.append(result)
                    # Of a long run one wants to know at once.
                    bar.write(f"Seed {result.seed}: {result.problems[0]}", file=sys.stderr)
    sums["failed"] = len(failed)
    seconds = time.monotonic() - began
    report(sums, failed, seconds, as_json=options.json)
    return 1 if failed else 0


def _run_batch(batch: tuple[int, int]) -> list[Result]:
    return run_batch(*batch)


def report(sums: dict[str, int], failed: list[Result], seconds: float, *, as_json: bool) -> None:
    failed.sort(key=lambda result: len(result.story))
    if as_json:
        print(json.dumps(sums | {"seconds": round(seconds, 1), "seeds": [result.seed for result in failed]}))
        return
    print(
        f"{sums['runs']} runs in {seconds:.0f} s: {sums['published']} events published, {sums['named']} named as "
        f"missing, {sums['doubled']} sent more than once, {sums['failed']} run(s) failed."
    )
    if failed:
        print("\n".join(shortest(failed[0].seed)))


if __name__ == "__main__":
    sys.exit(main())
