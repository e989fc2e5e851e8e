"""Messages that no pod can use, of every kind, and good ones in every form that publishers choose."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator

from tests.support.redis_server import event

# Large ones come seldom: what is tried is that they are skipped, not the speed of the loopback.
LARGE_EVERY = 500
MAX_EVENT_BYTES = 256 * 1024

SMALL: list[Callable[[random.Random, str], bytes]] = [
    lambda draw, name: b"",
    lambda draw, name: b"hello",
    lambda draw, name: draw.randbytes(draw.randint(1, 200)).replace(b"{", b"["),
    lambda draw, name: b"null",
    lambda draw, name: b"true",
    lambda draw, name: str(draw.randint(-(10**40), 10**40)).encode(),
    lambda draw, name: b"1e999999",
    lambda draw, name: json.dumps(name).encode(),
    lambda draw, name: json.dumps([name, "payment"]).encode(),
    lambda draw, name: json.dumps([event(name)]).encode(),
    lambda draw, name: b"{}",
    lambda draw, name: b'{"action":"payment","data":{}}',
    lambda draw, name: json.dumps({"clientname": name, "ClientName": name, "client_name": name}).encode(),
    lambda draw, name: b'{"clientName":null}',
    lambda draw, name: b'{"clientName":%d}' % draw.randint(0, 10**6),
    lambda draw, name: b'{"clientName":1.5e3}',
    lambda draw, name: json.dumps({"clientName": [name]}).encode(),
    lambda draw, name: json.dumps({"clientName": {"name": name}}).encode(),
    lambda draw, name: b'{"clientName":true}',
    # A document that ends too early, goes on too long, or is not quite JSON.
    lambda draw, name: json.dumps(event(name)).encode()[: draw.randint(1, 100)],
    lambda draw, name: json.dumps(event(name)).encode() + b"}",
    lambda draw, name: json.dumps(event(name)).encode() * 2,
    lambda draw, name: str(event(name)).encode(),
    lambda draw, name: b'{"clientName":"%b","data":NaN}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":{"a":1,}}' % name.encode(),
    # Bytes that no JSON text holds.
    lambda draw, name: b'{"clientName":"%b","data":"\xff\xfe"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":"\xc3"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b\xed\xa0\x80"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":"a\x00b"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b"}\x00' % name.encode(),
    lambda draw, name: b"\x00",
    lambda draw, name: b'{"clientName":"%b","data":"a\nb"}' % name.encode(),
    lambda draw, name: b'{"clientName":"%b","data":"a\r\rdata: b"}' % name.encode(),
    lambda draw, name: json.dumps(event(name)).encode("utf-16"),
]
LARGE: list[Callable[[random.Random, str], bytes]] = [
    lambda draw, name: b"x" * 2**20,
    lambda draw, name: json.dumps(event(name, data="x" * 2**20)).encode(),
    lambda draw, name: b"[" * 100_000,
    lambda draw, name: b'{"clientName":"%b","data":' % name.encode() + b"[" * 100_000 + b"]" * 100_000 + b"}",
    lambda draw, name: b'{"clientName":"%b","data":' % name.encode() + b'{"a":' * 40_000 + b"1" + b"}" * 40_001,
    lambda draw, name: json.dumps(event(name, data="x" * MAX_EVENT_BYTES)).encode(),
]


def unusable(name: str) -> Iterator[bytes]:
    """Make messages of every kind in turn, each of which names the client if it can."""
    draw = random.Random(20260105)
    small, large = itertools.cycle(SMALL), itertools.cycle(LARGE)
    for number in itertools.count(1):
        yield next(small if number % LARGE_EVERY else large)(draw, name)


def good(name: str, number: int) -> tuple[bytes, dict[str, object]]:
    """Make a usable event in one of the forms that publishers choose, and what it says."""
    says = event(name, number, data={"text": "Grüße, 日本\u2028\0\x85\n\r\\", "number": number, "deep": [[[{}]]]})
    forms: list[Callable[[], str]] = [
        lambda: json.dumps(says),
        lambda: json.dumps(says, ensure_ascii=False),
        lambda: json.dumps(says, indent=4),
        lambda: json.dumps(says, indent="\t", ensure_ascii=False).replace("\n", "\r\n"),
        lambda: "\n\r\n " + json.dumps(says, separators=(",", ":")) + " \r\n",
        lambda: json.dumps(dict(reversed(says.items()))),
        lambda: json.dumps({"surplus": {"clientName": "OTHER"}, **says, "event": "x\nevent: y"}),
    ]
    text = forms[number % len(forms)]()
    return text.encode(), json.loads(text)
