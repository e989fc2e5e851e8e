"""What a holder of a token may do, and to which clients."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum

import msgspec

MAX_PATTERNS = 64
MAX_PATTERN_CHARACTERS = 128
# The characters of a client name; `*` stands alone, or at the end.
PATTERN = re.compile(r"(?=.)[A-Za-z0-9._:-]*\*?")
PATTERN_RULE = (
    f"a client name, or the beginning of one and a single * at its end: {MAX_PATTERN_CHARACTERS} characters at most, "
    f"and {MAX_PATTERNS} of them"
)


class Right(StrEnum):
    """What there is to be done: to one client by name, or as an operator to all."""

    SUBSCRIBE = "subscribe"
    PUBLISH = "publish"
    READ = "read"
    ACT = "act"


class Holder(msgspec.Struct, frozen=True):
    """Who a verified token names, and its rights; `issued_at` and `expires_at` are Unix seconds, 0 for none."""

    sub: str = ""
    jti: str = ""
    issued_at: float = 0
    expires_at: float = 0
    subscribe: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    admin: frozenset[Right] = frozenset()

    def may(self, right: Right, name: str = "") -> bool:
        """Say whether the holder has a right; to subscribe and to publish are rights to one client, by its exact name.

        Who may act may also read, and publish to any client; who may read prompts is said by `subscribe` alone.
        """
        if right is Right.SUBSCRIBE:
            return matches_any(self.subscribe, name)
        if right is Right.PUBLISH:
            return Right.ACT in self.admin or matches_any(self.publish, name)
        return right in self.admin or Right.ACT in self.admin


def is_pattern(text: str) -> bool:
    """Say whether a text is a pattern by the rule."""
    return len(text) <= MAX_PATTERN_CHARACTERS and PATTERN.fullmatch(text) is not None


def matches_any(patterns: Iterable[str], name: str) -> bool:
    """Say whether one of the patterns stands for a name; no name is no client."""
    return bool(name) and any(
        name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern for pattern in patterns
    )
