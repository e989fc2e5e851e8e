"""Which of a pod's connections somebody asked to see, and in what order: on the dashboard, or in JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from streams.delivery.connection import Connection
from streams.delivery.registry import Registry

ROWS_PER_PAGE = 50
MAX_QUERY = 128
PARAMETERS = frozenset({"q", "store", "sort", "page"})

COLUMNS: dict[str, Callable[[Connection], Any]] = {
    "name": attrgetter("client_name"),
    "since": attrgetter("opened_at"),
    "activity": attrgetter("active_at"),
    "events": attrgetter("event_count"),
    "backlog": lambda connection: connection.writer.backlog_bytes(),
    "address": attrgetter("address"),
}


class View(NamedTuple):
    """What an operator asked to see; the same words as in the page's address and in /admin/connections'."""

    query: str = ""
    store: str = ""
    sort: str = "name"
    descending: bool = False
    page: int = 1

    @classmethod
    def parse(cls, parameters: Mapping[str, Any]) -> Self:
        """Read the parameters of an address; what makes no sense counts as not given."""
        sort = parameters.get("sort", "")
        column = sort.removeprefix("-")
        page = parameters.get("page", "")
        return cls(
            parameters.get("q", "").strip()[:MAX_QUERY],
            parameters.get("store", "").strip()[:MAX_QUERY],
            column if column in COLUMNS else "name",
            sort.startswith("-") and column in COLUMNS,
            max(1, int(page)) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
        )

    @property
    def order(self) -> str:
        """The order as an address has it: empty where it is the usual one."""
        return f"-{self.sort}" if self.descending else "" if self.sort == "name" else self.sort

    def address(self, **changes: Any) -> str:
        """Return the query string that asks for this view, with changes."""
        view = self._replace(**changes)
        page = view.page if view.page > 1 else ""
        parameters = {"q": view.query, "store": view.store, "sort": view.order, "page": page}
        return "?" + urlencode({name: value for name, value in parameters.items() if value})

    def sorted_by(self, column: str) -> str:
        """Return the query string for a click on a column's head."""
        return self.address(sort=column, descending=column == self.sort and not self.descending, page=1)


class Selection(NamedTuple):
    """One page of the connections that match."""

    connections: list[Connection]
    matched: int
    page: int
    pages: int


class Roster:
    """The connections of one moment, sorted and searched once for all views that ask the same."""

    def __init__(self, connections: Iterable[Connection]) -> None:
        self._connections = list(connections)
        self._sorted: dict[tuple[str, bool], list[Connection]] = {}
        self._found: dict[View, list[Connection]] = {}

    def select(self, view: View) -> Selection:
        """Cut out the page of connections that a view asks for."""
        found = self._find(view)
        pages = max(1, -(-len(found) // ROWS_PER_PAGE))
        page = min(view.page, pages)
        shown = found[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
        return Selection(shown, len(found), page, pages)

    def _find(self, view: View) -> list[Connection]:
        # Pages of one search differ in nothing else.
        key = view._replace(page=1)
        if key not in self._found:
            found = self._sort(view.sort, descending=view.descending)
            if view.store:
                store = view.store.lower()
                found = [connection for connection in found if store_of(connection.client_name).lower() == store]
            if view.query:
                query = view.query.lower()
                found = [
                    connection
                    for connection in found
                    if query in connection.client_name.lower() or query in connection.address
                ]
            self._found[key] = found
        return self._found[key]

    def _sort(self, column: str, *, descending: bool) -> list[Connection]:
        key = column, descending
        if key not in self._sorted:
            self._sorted[key] = sorted(self._connections, key=COLUMNS[column], reverse=descending)
        return self._sorted[key]


def similar_name(registry: Registry, name: str) -> str | None:
    """Return the client that a person may have meant whose name differs in small and capital letters only."""
    folded = name.casefold()
    return next((each.client_name for each in registry if each.client_name.casefold() == folded), None)


def store_of(client_name: str) -> str:
    """Return the store in a client's name: what stands before the first hyphen."""
    return client_name.partition("-")[0]
