"""`make scale`: exit 0 when thousands of clients are served as promised, whatever breaks, within all limits."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.scale.ground import Say
from tests.scale.report import Findings, as_json, failures, table
from tests.scale.scenario import Scenario, play
from tests.scale.scenarios import SCENARIOS

EPILOG = """\
exit status: 0 all figures keep their limits; 1 one does not, or a scenario did not come to its end; 2 wrong arguments;
130 it was interrupted."""


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    width = max(map(len, SCENARIOS))
    listed = "\n".join(
        f"  {name:<{width}}  {each.title}, {each.size:,} lanes, {each.seconds:g} s at most"
        for name, each in SCENARIOS.items()
    )
    parser = argparse.ArgumentParser(
        prog="python -m tests.scale",
        description=__doc__,
        epilog=f"scenarios:\n{listed}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=SCENARIOS, help="only these scenarios")
    parser.add_argument("--share", type=float, default=1.0, help="of the clients (default %(default)g)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(argv)
    if not 0 < options.share <= 1:
        parser.error("--share is more than 0, and 1 at most")
    return options


def progress(quiet: bool) -> Say:
    """Return what tells how far it is."""
    return (lambda _line: None) if quiet else (lambda line: print(line, file=sys.stderr, flush=True))


async def play_all(scenarios: Sequence[Scenario], share: float, logs: Path, say: Say) -> list[Findings]:
    """Run one after the other, so that SIGTERM ends the pods too, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found = []
    for scenario in scenarios:
        say(f"{scenario.name}: {scenario.title}")
        found.append(await play(scenario, share, logs / scenario.name, say))
    return found


def main() -> int:
    options = arguments()
    chosen = [scenario for name, scenario in SCENARIOS.items() if not options.only or name in options.only]
    logs = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        found = asyncio.run(play_all(chosen, options.share, logs, progress(options.json)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        shutil.rmtree(logs)
        print("\nInterrupted; the pods and Redis have ended", file=sys.stderr)
        return 130
    print(as_json(found) if options.json else table(found))
    if wrong := failures(found):
        if not options.json:
            print("\nFailed:\n" + "\n".join(wrong) + f"\nThe pods' logs are in {logs}.")
        return 1
    shutil.rmtree(logs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
