"""What servers other than ours write of each request, without a token that stood in its address."""

from __future__ import annotations

import logging
from typing import Any

from streams.auth.presented import has_token

# Of uvicorn, and of Daphne as runserver starts it.
LOGGERS = ("uvicorn.access", "django.channels.server")


class WithoutTokens(logging.Filter):
    """Takes tokens out of a record's arguments, and lets all records pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record, whose arguments formatters read too."""
        if isinstance(record.args, dict):
            record.args = {name: shown(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(map(shown, record.args))
        return True


WITHOUT_TOKENS = WithoutTokens()


def shown(said: Any) -> Any:
    """Return the target of a request as it may be shown, or what is no such text as it is."""
    if not isinstance(said, str):
        return said
    target, mark, query = said.partition("?")
    return f"{target}?..." if mark and has_token(query.encode("utf-8", "replace")) else said


def hide_tokens() -> None:
    """Keep tokens out of the access logs of servers that load the application."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(WITHOUT_TOKENS)
