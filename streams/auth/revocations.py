"""Tokens that were taken back before their time: by id, or all that a holder was issued before a moment."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from streams.auth.rights import Holder

MAX_REVOCATIONS = 100_000


class Revocation(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """One token by `jti`, or those of `sub` that were issued before a moment.

    `until` is when the last of them ends by itself. Unix seconds.
    """

    until: float
    jti: str = ""
    sub: str = ""
    issued_before: float = 0


class Revocations:
    """What is revoked now; an entry ends by itself, `late_seconds` after its `until`: so late a token is taken."""

    def __init__(self, limit: int = MAX_REVOCATIONS, *, late_seconds: float = 0) -> None:
        self.late_seconds = late_seconds
        self._limit = limit
        self._by_jti: dict[str, Revocation] = {}
        self._by_sub: dict[str, Revocation] = {}

    def __len__(self) -> int:
        return len(self._by_jti) + len(self._by_sub)

    def add(self, entry: Revocation, now: float) -> bool:
        """Revoke; return False where the room is full of entries that still count, and nothing was changed.

        Two entries for one holder become one that revokes at least what each of them does.
        """
        kept, key = (self._by_jti, entry.jti) if entry.jti else (self._by_sub, entry.sub)
        if not key or self._is_over(entry, now):
            return True
        if key not in kept and len(self) >= self._limit:
            self.expire(now)
            if len(self) >= self._limit:
                return False
        before = kept.get(key, entry)
        kept[key] = msgspec.structs.replace(
            entry,
            until=max(entry.until, before.until),
            issued_before=max(entry.issued_before, before.issued_before),
        )
        return True

    def replace(self, entries: Iterable[Revocation], now: float) -> int:
        """Take these in place of all others, as they were read anew; return how many found no room."""
        self._by_jti.clear()
        self._by_sub.clear()
        return sum(not self.add(entry, now) for entry in entries)

    def revoked(self, holder: Holder, now: float) -> bool:
        """Say whether the token of a holder was taken back; one that does not say when it was issued is old."""
        entry = self._by_jti.get(holder.jti) if holder.jti else None
        if entry is not None and not self._is_over(entry, now):
            return True
        entry = self._by_sub.get(holder.sub) if holder.sub else None
        return entry is not None and not self._is_over(entry, now) and holder.issued_at < entry.issued_before

    def expire(self, now: float) -> None:
        """Forget the entries whose time is over."""
        for kept in (self._by_jti, self._by_sub):
            for key in [key for key, entry in kept.items() if self._is_over(entry, now)]:
                del kept[key]

    def _is_over(self, entry: Revocation, now: float) -> bool:
        return entry.until + self.late_seconds <= now
