"""How an environment variable is declared, read and refused."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from streams.errors import ConfigurationError

DAY_SECONDS = 86400
# What examples hold where a secret has to be put, in deploy/ and elsewhere.
PLACEHOLDERS = frozenset(
    {
        *("admin", "change-me", "changeme", "development-only", "for-development-only", "password", "placeholder"),
        *("replace-me", "replaceme", "secret", "todo", "your-secret-key"),
    }
)
PLACEHOLDER = re.compile(r"(replace|change)[ _-]?(me|this|it)\b|^django-insecure-|^<.*>$", re.IGNORECASE)
# So few different characters are a hand on one key.
LEAST_CHARACTERS = 5
# Front doors drop or rename a header with an underscore.
HEADER = re.compile(r"[A-Za-z0-9-]{1,100}")
# What no front door can say somebody's name in.
TAKEN_HEADERS = frozenset(
    {
        *("authorization", "connection", "content-length", "content-type", "cookie", "host", "last-event-id", "origin"),
        *("sec-fetch-site", "transfer-encoding", "user-agent", "x-forwarded-for", "x-forwarded-proto"),
    }
)
SWITCHES = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}


class Group(NamedTuple):
    """A heading of the reference; it stands with the first variable of its group."""

    title: str
    remark: str = ""


class Form(NamedTuple):
    """What a variable may hold.

    `allowed` ends the sentence *NAME is 'x', but it must be …*. `parse` raises ValueError
    for what cannot be used. Of a URL only the scheme is shown, since it may hold a password,
    and of a secret nothing but a placeholder that everybody knows.
    """

    unit: str
    allowed: str
    parse: Callable[[str], Any] = str

    def shown(self, text: str) -> str:
        """Return what of a refused text may stand in a log."""
        scheme, marks, _rest = text.partition("://")
        if self.unit == "secret":
            return text if text in PLACEHOLDERS else "…"
        if self.unit != "URL":
            return text
        if marks:
            return f"{scheme}{marks}…"
        # A URL without its slashes may hold one too; a bare word or a host and its port does not.
        return text if re.fullmatch(r"[^:@]*(:[0-9]{1,5})?", text) else "…"


class NetworkSet(tuple[IPv4Network | IPv6Network, ...]):
    """Networks, which an address is in or not."""

    __slots__ = ()

    def __contains__(self, address: object) -> bool:
        """Say whether one of the networks holds an address."""
        return isinstance(address, IPv4Address | IPv6Address) and any(address in network for network in self)


class Variable(NamedTuple):
    """One environment variable, as a Struct's field declares it."""

    name: str
    field: str
    default: Any
    form: Form
    sentence: str
    group: Group | None
    # How the reference (`default`) and .env.example (`example`) say a default that is no constant.
    stand_ins: Mapping[str, str]

    def read(self, text: str) -> Any:
        """Return the value of a text; raise ConfigurationError for one that cannot be used."""
        try:
            return self.form.parse(text)
        except ValueError:
            raise ConfigurationError(self.name, self.form.shown(text), self.form.allowed) from None


@functools.cache
def declared(settings: type[msgspec.Struct]) -> tuple[Variable, ...]:
    """Return the variables of a Struct's annotated fields, in their order."""
    # Kept: annotations are texts, each of which is compiled anew when somebody asks for the fields.
    return tuple(_variables(settings))


def _variables(settings: type[msgspec.Struct]) -> Iterator[Variable]:
    # What a Struct takes over from another stands behind its own.
    bases = [base for base in settings.__bases__ if base is not msgspec.Struct]
    inherited = {field.name for base in bases for field in msgspec.structs.fields(base)}
    for field in sorted(msgspec.structs.fields(settings), key=lambda field: field.name in inherited):
        if get_origin(field.type) is not Annotated:
            continue
        kind, *notes = get_args(field.type)
        said = _merged([note for note in notes if isinstance(note, Meta)])
        yield Variable(
            field.encode_name,
            field.name,
            field.default_factory() if field.default is msgspec.NODEFAULT else field.default,
            next((note for note in notes if isinstance(note, Form)), None) or _form(kind, said, field.type),
            said["description"],
            next((note for note in notes if isinstance(note, Group)), None),
            said.get("extra", {}),
        )


def read_fields(settings: type[msgspec.Struct], values: Mapping[str, str]) -> dict[str, Any]:
    """Return the fields of a Struct whose variables are set; an empty one counts as not set.

    Raises ConfigurationError at the first that cannot be used.
    """
    return {
        variable.field: variable.read(text)
        for variable in declared(settings)
        if (text := values.get(variable.name, "").strip())
    }


def _merged(metas: list[Meta]) -> dict[str, Any]:
    names = ("title", "ge", "le", "description", "extra")
    return {name: value for meta in metas for name in names if (value := getattr(meta, name)) is not None}


def _form(kind: Any, said: Mapping[str, Any], annotation: Any) -> Form:
    """Describe a number by its bounds and a choice by its words, which msgspec checks."""

    def checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
        return lambda text: msgspec.convert(parse(text), annotation)

    if get_origin(kind) is Literal:
        return Form("word", "one of " + ", ".join(get_args(kind)), checked(str.lower))
    unit, bounds = said["title"], f"from {said['ge']} to {said['le']}"
    if kind is int:
        return Form(unit, f"a whole number {bounds}", checked(_whole))
    return Form(unit, f"a number of {unit} {bounds}", checked(float))


def _whole(text: str) -> int:
    # int() alone takes signs and underscores too.
    if not text.isdecimal():
        raise ValueError(text)
    return int(text)


def is_strong(secret: str, least_length: int) -> bool:
    """Say whether a secret is long enough, no placeholder, and no single key held down."""
    return (
        len(secret) >= least_length
        and secret.lower() not in PLACEHOLDERS
        and PLACEHOLDER.search(secret) is None
        and len(set(secret)) >= LEAST_CHARACTERS
    )


def _switch(text: str) -> bool:
    if text.lower() not in SWITCHES:
        raise ValueError(text)
    return SWITCHES[text.lower()]


def _name(text: str) -> str:
    # A name stands in logs and frames: it has to stay on its line.
    if not text.isprintable() or len(text) > 253:
        raise ValueError(text)
    return text


def _header(text: str) -> str:
    if not HEADER.fullmatch(text) or text.lower() in TAKEN_HEADERS:
        raise ValueError(text)
    return text


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _origins(text: str) -> frozenset[str]:
    origins = frozenset(_words(text))
    for origin in origins - {"*"}:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path not in ("", "/"):
            raise ValueError(text)
    return frozenset(origin.rstrip("/") for origin in origins)


def _networks(text: str) -> NetworkSet:
    # A network with host bits, such as 10.0.0.1/8, is refused: it may be a slip of the pen.
    return NetworkSet(ip_network(word) for word in _words(text))


def _redis_url(text: str) -> str:
    parts = urlsplit(text)
    # The client takes these beginnings as they stand, in small letters.
    if not text.startswith(("redis://", "rediss://", "unix://")) or parts.port == 0:
        raise ValueError(text)
    if parts.scheme == "unix" and not parts.path:
        raise ValueError(text)
    return text


def redis_address(host: str, port: int) -> str:
    """Return the URL of a Redis without user and password."""
    return f"redis://[{host}]:{port}" if ":" in host else f"redis://{host}:{port}"


def _redis_host(text: str) -> str:
    # What its URL does not give back whole, such as a port or a bracket, is no host.
    whole = urlsplit(redis_address(text, 6379)).hostname == text.lower()
    if not whole or not text.isprintable() or any(mark in text for mark in "/@? "):
        raise ValueError(text)
    return text


def _database(text: str) -> dict[str, Any]:
    # Part of Django's side, which a process that reads the streams' settings alone does without.
    import environ

    scheme, marks, _rest = text.partition("://")
    if not marks or scheme not in environ.Env.DB_SCHEMES:
        raise ValueError(text)
    config: dict[str, Any] = environ.Env.db_url_config(text)
    return config


Seconds = Annotated[float, Meta(title="seconds")]
Period = Annotated[float, Meta(title="seconds", ge=1, le=3600)]
Bytes = Annotated[int, Meta(title="bytes")]
Connections = Annotated[int, Meta(title="connections", ge=0, le=10_000_000)]
Port = Annotated[int, Meta(title="port", ge=1, le=65535)]
Switch = Annotated[bool, Form("word", "one of " + ", ".join(SWITCHES), _switch)]
Name = Annotated[str, Form("name", "1 to 253 printable characters", _name)]
HeaderName = Annotated[
    str, Form("header", "the name of a header of letters, digits and -, such as X-Forwarded-User", _header)
]
Names = Annotated[tuple[str, ...], Form("names", "names with commas, or * for any", _words)]
Origins = Annotated[frozenset[str], Form("origins", "* or origins such as https://shop.example, with commas", _origins)]
Networks = Annotated[NetworkSet, Form("networks", "addresses or networks such as 10.0.0.0/8, with commas", _networks)]
Host = Annotated[str, Form("address", "a host name or an address")]
RedisHost = Annotated[str, Form("address", "a host name or an address", _redis_host)]
RedisUrl = Annotated[
    str, Form("URL", "redis://, rediss:// or unix://, such as redis://user:password@host:6379/0", _redis_url)
]
Database = Annotated[dict[str, Any], Form("URL", "a database's URL, such as sqlite:////var/lib/db.sqlite3", _database)]
