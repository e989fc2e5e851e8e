"""What the arguments of commands may be."""

from __future__ import annotations

import argparse
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from streams.api.router import API
from streams.wire.publication import TIME
from streams.wire.timestamps import unix_seconds


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


def token_file(path: str) -> str:
    """Read the token that a file holds."""
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise argparse.ArgumentTypeError(f"{path} cannot be read: {reason}") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        # What it holds is a secret all the same.
        raise argparse.ArgumentTypeError(f"{path} holds no token, which is one line of ASCII without blanks")
    return token
