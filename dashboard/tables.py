"""The table of connections: which of them a page shows, and in what order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Self
from urllib.parse import urlencode

from streams.registry import Connection

ROWS_PER_PAGE = 50
MAX_QUERY = 128

COLUMNS: dict[str, Callable[[Connection], Any]] = {
    "name": lambda connection: connection.client_name,
    "since": lambda connection: connection.connected_at,
    "activity": lambda connection: connection.last_activity,
    "events": lambda connection: connection.event_count,
    "backlog": lambda connection: connection.writer.backlog_bytes(),
    "address": lambda connection: connection.address,
}


class View(NamedTuple):
    """What an operator asked to see; the same words as in the page's address."""

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

    def address(self, **changes: Any) -> str:
        """Return the query string that asks for this view, with changes."""
        view = self._replace(**changes)
        sort = f"-{view.sort}" if view.descending else "" if view.sort == "name" else view.sort
        page = view.page if view.page > 1 else ""
        parameters = {"q": view.query, "store": view.store, "sort": sort, "page": page}
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


def select(connections: Iterable[Connection], view: View) -> Selection:
    """Find, sort and cut out the connections that a view asks for."""
    found = list(connections)
    if view.store:
        store = view.store.lower()
        found = [connection for connection in found if store_of(connection.client_name).lower() == store]
    if view.query:
        query = view.query.lower()
        found = [
            connection for connection in found if query in connection.client_name.lower() or query in connection.address
        ]
    found.sort(key=COLUMNS[view.sort], reverse=view.descending)
    pages = max(1, -(-len(found) // ROWS_PER_PAGE))
    page = min(view.page, pages)
    shown = found[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
    return Selection(shown, len(found), page, pages)


def store_of(client_name: str) -> str:
    """Return the store in a client's name: what stands before the first hyphen."""
    return client_name.partition("-")[0]
