"""Write the pages that say what the code declares: settings, metrics, reasons, problems, keys, the API."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from streams.api.problems import ProblemKind
from streams.api.routes import asyncapi_json, openapi_json
from streams.conf import StreamSettings
from streams.conf.django_settings import DjangoSettings
from streams.conf.variables import Group, Variable, declared
from streams.doctor.keys import CHANNELS, KEYS
from streams.doctor.roles import Role, access, use
from streams.errors import CloseReason
from streams.history.coverage import GapReason
from streams.http.metrics import METRICS

COMMENT_WIDTH = 100

EXAMPLE_HEAD = (
    "Copy to .env and change what you need. What stands here are the defaults.",
    "Like docs/reference/settings.md it is written by `make docs`, from streams/conf.",
)
SETTINGS_HEAD = """\
# Settings

`make docs` writes this page from `streams/conf`.

Settings are environment variables. A file `.env` beside `manage.py` is read when there is one; the environment wins
over it, and `.env.example` lists every variable with its default. An empty value counts as not set. A value that
cannot be used stops the start with one line that names the variable, what it holds and what it may hold.

A line of `.env` is `NAME=value`; blanks around `=`, quotes, `export` and a comment after ` #` are no part of the value.
The file is UTF-8. A line that cannot be read stops the start with one line too.

`manage.py check` looks at the settings together and warns about combinations that deserve a second look.
"""
METRICS_HEAD = """\
# Metrics

`make docs` writes this page from `streams/http/metrics.py`, `CloseReason` and `GapReason`.

`GET /metrics` on every pod answers in Prometheus' text format. Scrape the pods and not the front door. Sum over pods
for clients, deliveries and bytes; take the maximum of what is received or unusable, since every pod receives all of it,
and of `sse_pods_alive`, `sse_lanes_missing` and `sse_stores_dark`, which all pods read from the same keys in Redis.
"""
PROBLEMS_HEAD = """\
# Problems

`make docs` writes this page from `streams/api/problems.py`.

What [the HTTP API](api.md) answers where it does not do what was asked for. `type` ends in the name of the
problem, and leads to the same list on the pod: `GET /api/v1/problems`.
"""
KEYS_HEAD = """\
# Keys and channels

`make docs` writes this page from `streams/doctor/keys.py` and `streams/doctor/roles.py`.

All that the service has in Redis. Every name begins with `REDIS_CHANNEL`, which is `events-to-store` unless it is set;
what stands in `<…>` differs. Services with another `REDIS_CHANNEL` share a Redis without seeing each other.

The last columns are what the user of each role may do: of a key `R` to read and `W` to write it, of a channel `S` to
subscribe and `P` to publish. In a rule that is `%R~NAME`, `%W~NAME`, `~NAME` for both, and `&NAME` for a channel.
`length` is all that an operator can read of the journal. [Set up Redis](../howto/redis.md#a-user-for-the-pods)
has the whole rule of each role.
"""
CHANNELS_HEAD = """\
## Channels
"""
CLOSES_HEAD = """\
## Close reasons

Every end has one reason. It stands in the `[DISCONNECT]` log line, in `sse_closes_total{reason="…"}` and on the
dashboard.
"""
GAPS_HEAD = """\
## Gap reasons

Where events may be missing the client reads `event: stream-gap` with the reason, and
`sse_stream_gaps_total{reason="…"}` counts it.
"""


class Command(BaseCommand):
    """Write every page."""

    help = (
        "Write .env.example, and of docs/reference settings.md, metrics.md, problems.md, keys.md, openapi.json and "
        "asyncapi.json from what the code declares."
    )

    def handle(self, **_options: Any) -> None:
        """Write each page to its place in the repository, and name it."""
        for name, page in PAGES.items():
            path = Path(settings.BASE_DIR, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page(), encoding="utf-8")
            self.stdout.write(name)


def env_example() -> str:
    """Return a `.env` that changes nothing, with a comment for each variable."""
    parts = ["\n".join(f"# {line}" for line in EXAMPLE_HEAD)]
    for group, variables in groups():
        parts.append(comment(f"{group.title}. {group.remark}".strip()))
        lines = (f"{comment(explained(each))}\n{each.name}={example(each)}" for each in variables)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def settings_page() -> str:
    """Return the reference of the settings."""
    head = ("Variable", "Default", "Unit", "What it may hold", "Meaning")
    parts = [SETTINGS_HEAD]
    for group, variables in groups():
        rows = [
            (f"`{each.name}`", documented_default(each), each.form.unit, each.form.allowed, each.sentence)
            for each in variables
        ]
        remark = f"{group.remark}\n\n" if group.remark else ""
        parts.append(f"## {group.title}\n\n{remark}{table(head, rows)}")
    return "\n".join(parts)


def metrics_page() -> str:
    """Return the reference of the metrics and of the reasons that label them."""
    metrics = [(f"`{each.exposed}`", each.kind, each.label and f"`{each.label}`", each.help) for each in METRICS]
    closes = [(f"`{reason}`", reason.sentence) for reason in CloseReason]
    gaps = [(f"`{reason}`", reason.sentence) for reason in GapReason]
    return "\n".join(
        [
            *(METRICS_HEAD, table(("Metric", "Type", "Label", "Meaning"), metrics)),
            *(CLOSES_HEAD, table(("Reason", "What happened"), closes)),
            *(GAPS_HEAD, table(("Reason", "Why events may be missing"), gaps)),
        ]
    )


def problems_page() -> str:
    """Return the reference of the API's problems, each with a heading that its name leads to."""
    sections = (f"## {kind.word}\n\n{kind.status.value} · {kind.title}. {kind.meaning}\n" for kind in ProblemKind)
    return "\n".join([PROBLEMS_HEAD, *sections])


def keys_page() -> str:
    """Return the list of all that there is in Redis, with what each role may do with it."""
    keys = [
        (f"`<REDIS_CHANNEL>{key.name}`", key.type, key.holds, key.size, key.life, *(access(role, key) for role in Role))
        for key in KEYS
    ]
    channels = [
        (f"`<REDIS_CHANNEL>{each.name}`", each.carries, *(use(role, each) for role in Role)) for each in CHANNELS
    ]
    return "\n".join(
        [
            *(KEYS_HEAD, "## Keys\n", table(("Name", "Type", "What it holds", "Size", "Life", *Role), keys)),
            *(CHANNELS_HEAD, table(("Name", "What it carries", *Role), channels)),
        ]
    )


PAGES: dict[str, Callable[[], str]] = {
    ".env.example": env_example,
    "docs/reference/settings.md": settings_page,
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/problems.md": problems_page,
    "docs/reference/keys.md": keys_page,
    "docs/reference/openapi.json": lambda: openapi_json().decode(),
    "docs/reference/asyncapi.json": lambda: asyncapi_json().decode(),
}


def groups() -> list[tuple[Group, list[Variable]]]:
    """Return the variables of each group, in the order in which they are declared."""
    found: list[tuple[Group, list[Variable]]] = []
    for variable in (*declared(StreamSettings), *declared(DjangoSettings)):
        if variable.group is not None:
            found.append((variable.group, []))
        found[-1][1].append(variable)
    return found


def written(value: Any) -> str:
    """Return a default as somebody would write it into the environment."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple | frozenset | dict):
        return ",".join(sorted(value))
    return str(value)


def example(variable: Variable) -> str:
    """Return what stands in .env.example."""
    return variable.stand_ins.get("example", written(variable.default))


def documented_default(variable: Variable) -> str:
    """Return what stands in the reference."""
    default = written(variable.default)
    return variable.stand_ins.get("default") or (f"`{default}`" if default else "none")


def explained(variable: Variable) -> str:
    """Return the sentence of a variable and what it may hold."""
    sentence = variable.sentence
    return f"{sentence[0].upper()}{sentence[1:]} ({variable.form.allowed})."


def comment(text: str) -> str:
    """Return a text as a comment of plain words, on as many lines as it needs."""
    lines = textwrap.wrap(text.replace("`", ""), COMMENT_WIDTH, break_on_hyphens=False)
    return "\n".join(f"# {line}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
