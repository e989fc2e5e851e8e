"""What the arguments of commands may be."""

from __future__ import annotations

import argparse
import re
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from streams.api.router import API
from streams.auth.rights import PATTERN_RULE, is_pattern
from streams.wire.publication import TIME
from streams.wire.timestamps import unix_seconds

DURATION = re.compile(r"([0-9]{1,9})([smhd])")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MAX_DURATION_SECONDS = 3660 * 86400


def whole(low: int, high: int) -> Any:
    """Return an argument type for whole numbers between two bounds."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {low} to {high}")
        return int(text)

    return parse


def json_value(text: str) -> Any:
    """Parse an argument that holds JSON."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


def coming_time(text: str) -> str | int:
    """Parse a time that is to come, with its zone, or epoch milliseconds."""
    moment = int(text) if text.isdecimal() else text
    seconds = unix_seconds(moment)
    if seconds is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no ISO 8601 time, such as {TIME}, nor epoch milliseconds")
    if isinstance(moment, str) and datetime.fromisoformat(moment).tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone: add Z for UTC, or such as +01:00")
    if seconds <= time.time():
        raise argparse.ArgumentTypeError(f"{text!r} is over")
    return moment


def service_address(text: str) -> SplitResult:
    """Parse the address of a pod or a front door, with the path below which the service is."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!a} is no address such as http://localhost:3000")
    if parts.username is not None:
        raise argparse.ArgumentTypeError("an address has no user or password: the token is in ADMIN_TOKEN")
    return parts._replace(path=parts.path.rstrip("/").removesuffix(API))


def duration(text: str) -> int:
    """Parse a time such as 8h, in seconds, minutes, hours or days."""
    form = DURATION.fullmatch(text)
    seconds = int(form[1]) * UNIT_SECONDS[form[2]] if form else 0
    if not 0 < seconds <= MAX_DURATION_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!a} is no time such as 90s, 30m, 8h or 7d, of ten years at most")
    return seconds


def key_source(text: str) -> str:
    """Parse where a key is: @FILE, or @- for standard input. The key itself would be seen by all of a machine."""
    if not text.startswith("@") or len(text) == 1:
        # It may be the key, which has to stay out of the terminal.
        raise argparse.ArgumentTypeError("a key is no argument: @FILE names the file that holds it, @- standard input")
    return text[1:]


def pattern(text: str) -> str:
    """Parse a client name, or the beginning of one with a * at its end."""
    if not is_pattern(text):
        raise argparse.ArgumentTypeError(f"{text!a} is not {PATTERN_RULE.partition(':')[0]}")
    return text


def token_source(path: str) -> str:
    """Read the token that a file holds, or standard input where that is -."""
    return _token(sys.stdin.read(), "standard input") if path == "-" else token_file(path)


def token_file(path: str) -> str:
    """Read the token that a file holds."""
    try:
        return _token(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {reason}") from None


def _token(text: str, place: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        # What it holds is a secret all the same.
        raise argparse.ArgumentTypeError(f"{place} holds no token, which is one line of ASCII without blanks")
    return token
