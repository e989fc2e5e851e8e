"""The pods, judged by what each says of itself in the roster; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from streams.doctor.findings import Finding, bad, look, well
from streams.roster.lives import BEAT_SECONDS, Heard
from streams.wire.timestamps import unix_seconds

CLOCK_SECONDS = 1.0
# A pod that ended since may have been followed by another of its name.
LATELY_SECONDS = 1.5 * BEAT_SECONDS
UNREADY = f"GET /health/ready of each says why; one that has just started is over it in {BEAT_SECONDS:g} s."


def judge_pods(lives: Iterable[Heard], now: float) -> Iterator[Finding]:
    """Judge all lives at a moment by Redis' clock (Unix seconds)."""
    alive = [heard for heard in lives if heard.alive]
    yield _alive(alive)
    if alive:
        yield _names(alive)
        yield _versions(alive)
        yield _clocks(alive, now)


def _alive(alive: list[Heard]) -> Finding:
    if not alive:
        remedy = "Start one, or let REDIS_URL and REDIS_CHANNEL here be those of the pods."
        return bad("pods", "no pod is alive on this channel", remedy)
    clients = sum(heard.says.connections for heard in alive)
    says = f"{len(alive)} alive, with {clients:,} clients: {_list(alive)}"
    unready = [heard for heard in alive if heard.says.state == "not-ready"]
    if not any(heard.says.state == "ready" for heard in alive):
        return bad("pods", f"{says}; none takes clients", UNREADY)
    if unready:
        return look("pods", f"{says}; not ready: {_list(unready)}", UNREADY)
    return well("pods", says)


def _names(alive: list[Heard]) -> Finding:
    names = Counter(heard.says.pod_name for heard in alive if heard.silent_seconds < LATELY_SECONDS)
    twice = sorted(name for name, count in names.items() if count > 1)
    if not twice:
        return well("pod names", "each pod has its own")
    remedy = "Give each a POD_NAME of its own, in Kubernetes from metadata.name."
    return bad("pod names", f"several pods call themselves {', '.join(twice)}", remedy)


def _versions(alive: list[Heard]) -> Finding:
    versions = Counter(heard.says.version for heard in alive)
    if len(versions) == 1:
        return well("versions", f"all pods are {next(iter(versions))}")
    says = ", ".join(f"{count} of {version}" for version, count in sorted(versions.items()))
    return look("versions", f"{says}: a rollout is under way", "If there is none, look at what holds the old pods.")


def _clocks(alive: list[Heard], now: float) -> Finding:
    ahead = {heard.says.pod_name: told - (now - heard.silent_seconds) for heard, told in _told(alive)}
    off = {name: seconds for name, seconds in ahead.items() if abs(seconds) > CLOCK_SECONDS}
    if off:
        says = ", ".join(f"{name} {seconds:+.1f} s" for name, seconds in sorted(off.items()))
        return look(
            "pod clocks", f"off from Redis': {says}", "Look at NTP on their machines: deadlines are off by as much."
        )
    if not ahead:
        return well("pod clocks", "these pods do not tell them")
    return well("pod clocks", f"within {max(map(abs, ahead.values())):.1f} s of Redis'")


def _told(alive: list[Heard]) -> Iterator[tuple[Heard, float]]:
    for heard in alive:
        told = unix_seconds(heard.says.told_at)
        if told is not None:
            yield heard, told


def _list(heard: list[Heard]) -> str:
    return ", ".join(sorted(one.says.pod_name for one in heard))
