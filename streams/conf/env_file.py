"""Reads a `.env` file as people mean it, or says in one line which of its lines cannot be read."""

from __future__ import annotations

import io
import re
from collections.abc import MutableMapping
from pathlib import Path

from streams.errors import EnvFileError

# With the marks that names of other programs have.
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def load_env_file(path: Path, environment: MutableMapping[str, str]) -> None:
    """Add the variables of a file, where there is one, to those of the environment, which win.

    Raises EnvFileError for a file or a line that cannot be read: a setting that is skipped is one
    that nobody made, and the defaults are those of development.
    """
    if path.exists():
        for name, value in parse_env_file(path.name, _text(path)).items():
            environment.setdefault(name, value)


def parse_env_file(file: str, text: str) -> dict[str, str]:
    """Read lines `NAME=value`, with blanks, quotes, comments or `export` where people put them.

    `file` names it in the EnvFileError for what cannot be read. The last of two lines with one name counts.
    """
    # Loaded where there is a file: most pods have none.
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is None and not binding.error:
            continue
        # Blank lines before it belong to what was parsed.
        skipped = binding.original.string
        line = binding.original.line + skipped[: len(skipped) - len(skipped.lstrip())].count("\n")
        if binding.key is None or binding.value is None or not NAME.fullmatch(binding.key):
            raise EnvFileError(f"Line {line} of {file} cannot be read: it must be NAME=value, or begin with #.")
        if "\0" in binding.value:
            raise EnvFileError(f"Line {line} of {file} cannot be read: it holds a NUL character.")
        values[binding.key] = binding.value
    return values


def _text(path: Path) -> str:
    try:
        # Windows' editors put a byte order mark before the first name.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise EnvFileError(f"Line {line} of {path.name} cannot be read: save the file as UTF-8.") from None
    except OSError as error:
        raise EnvFileError(f"{path.name} cannot be read: {error.strerror}.") from None
