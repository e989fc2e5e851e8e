"""Whether the lanes are fine, in words: the first thing that an operator reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dashboard.content import formats
from dashboard.content.sampler import Sampler
from streams.errors import CloseReason
from streams.pod import Pod

# Ends that say something is wrong with a device, the network or the pod's size.
TROUBLE = (CloseReason.SLOW_READER, CloseReason.DEAD_PEER, CloseReason.DUEL, CloseReason.OVERLOADED)
# A few lost devices are everyday life in a large estate.
TROUBLE_FLOOR = 5
TROUBLE_SHARE = 0.02
PODS_NAMED = 5


class Verdict(NamedTuple):
    """How the pod is: a level (good, warning, bad), a headline, and what deserves a look."""

    level: str
    headline: str
    notices: list[str]


def judge(pod: Pod, sampler: Sampler) -> Verdict:
    """Say how this pod is."""
    subscriber, connections = pod.subscriber, len(pod.registry)
    lanes = formats.counted(connections, "client")
    # Until a pod knows the others' clients, nobody may take its own for all.
    here = " to this pod" if pod.ingresses.peers.names else ""
    notices = list(_notices(pod, sampler))
    if reason := pod.ingresses.unready_reason():
        if subscriber.subscribed:
            headline = f"Events may be late or missing. {lanes} connected{here}."
        else:
            away = formats.duration(subscriber.outages.present_seconds)
            headline = f"Disconnected from Redis for {away}, so no event arrives. {lanes} connected{here}."
        return Verdict("bad", headline, [f"{reason[0].upper()}{reason[1:]}.", *notices])
    if pod.draining:
        return Verdict("warning", f"Draining: clients are being sent to other pods. {lanes} left.", notices)
    readiness = pod.readiness()
    if not readiness.ready:
        return Verdict("warning", f"Takes no new client: {readiness.reason}. {lanes} connected{here}.", notices)
    trouble = sum(sampler.closed_lately()[reason] for reason in TROUBLE)
    if trouble > max(TROUBLE_FLOOR, connections * TROUBLE_SHARE):
        return Verdict("warning", f"{lanes} connected{here}, but many connections end in trouble.", notices)
    if not connections:
        return Verdict("good", f"Ready: no client is connected{here} yet.", notices)
    return Verdict("good", f"All is well: {lanes} connected{here}, events are heard.", notices)


def _notices(pod: Pod, sampler: Sampler) -> list[str]:
    notices = list(_other_pods(pod))
    lately = sampler.closed_lately()
    if any(lately[reason] for reason in TROUBLE):
        named = ", ".join(f"{lately[reason]} {reason}" for reason in TROUBLE if lately[reason])
        notices.append(f"Connections that ended in trouble in the last 5 minutes: {named}.")
    if skipped := sampler.skipped_lately():
        notices.append(
            f"{formats.counted(skipped, 'message')} on the channel in the last 5 minutes could not be used; "
            "the log says why."
        )
    subscriber = pod.subscriber
    if subscriber.outages.count:
        times = "once" if subscriber.outages.count == 1 else f"{subscriber.outages.count} times"
        notices.append(
            f"Redis was lost {times} since this pod started; "
            f"it heard nothing for {formats.duration(subscriber.outages.seconds)} altogether."
        )
    return notices


def _other_pods(pod: Pod) -> Iterator[str]:
    peers, own = pod.ingresses.peers, pod.conf.pod_name
    if peers.namesakes:
        yield f"Another pod calls itself {own} too, and the two cannot be told apart: set POD_NAME, each pod's own."
    if others := [name for name in peers.names if name != own]:
        named = formats.named(others, PODS_NAMED)
        yield f"This is {own} alone, one of several pods: other clients are connected to {named}."
