"""`make chaos`: exit 0 when no event that Redis acknowledged was lost in silence, whatever broke meanwhile."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.faults import PodFaults, RedisFaults
from tests.chaos.report import as_json, chosen, failures, story, table
from tests.chaos.running import Outcome, Plan, Say, run

KINDS = (*PodFaults.kinds, *RedisFaults.kinds)
EPILOG = f"""\
kinds of fault of a pod:
  {" ".join(PodFaults.kinds)}
and of Redis:
  {" ".join(RedisFaults.kinds)}

exit status: 0 nothing was lost in silence; 1 something was, or a lane or a pod did not come back, or a pod logged a
traceback; 2 wrong arguments; 130 it was interrupted."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="draws the faults (default: drawn itself, and printed)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of faults (default %(default)g)")
    parser.add_argument("--lanes", type=int, default=24, help="(default %(default)s)")
    parser.add_argument("--rate", type=float, default=16.0, help="events a second for each lane (default %(default)g)")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="KIND", choices=KINDS, help="only these kinds of fault"
    )
    parser.add_argument("--calm", action="store_true", help="no faults: every lane moves once a second")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--stories", type=int, default=5, help="losses to tell of at length (default %(default)s)")
    return parser.parse_args()


def progress(quiet: bool) -> Say:
    """Return what tells how far it is: on one line where a person looks on."""
    if quiet:
        return lambda _line: None
    if not sys.stderr.isatty():
        return lambda line: print(line, file=sys.stderr, flush=True)

    def say(line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(f"\r{line[:width]:<{width}}", end="", file=sys.stderr, flush=True)

    return say


async def interruptible(plan: Plan, directory: Path, say: Say) -> Outcome:
    """Run it so that SIGTERM ends the pods too, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await run(plan, directory, say)


def tell(outcome: Outcome, stories: int, logs: Path) -> None:
    found = failures(outcome)
    for event in chosen(outcome, stories):
        print(story(event, outcome), end="\n\n")
    for traceback in outcome.tracebacks[:stories]:
        print(traceback, end="\n\n")
    print(table(outcome))
    if found:
        print(
            f"\nFailed: {'; '.join(found)}.\nThe pods' logs are in {logs}; --seed {outcome.plan.seed} draws it again."
        )


def main() -> int:
    options = arguments()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    plan = Plan(seed, options.seconds, options.lanes, options.rate, options.calm, frozenset(options.only))
    say = progress(options.json)
    say(f"Seed {seed}")
    logs = Path(tempfile.mkdtemp(prefix="chaos-"))
    try:
        outcome = asyncio.run(interruptible(plan, logs, say))
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(logs)
        print("\nInterrupted; the pods and Redis have ended", file=sys.stderr)
        return 130
    except (AssertionError, TimeoutError) as error:
        print(f"\nThe run did not come to its end: {error or 'it took too long'}\nLogs are in {logs}", file=sys.stderr)
        return 1
    if sys.stderr.isatty() and not options.json:
        print(file=sys.stderr)
    if options.json:
        print(as_json(outcome, options.stories))
    else:
        tell(outcome, options.stories, logs)
    if failures(outcome):
        return 1
    shutil.rmtree(logs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
