"""The client or the store that a path names; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from streams.api.problems import Fault, ProblemKind, problem_of
from streams.errors import InvalidName
from streams.roster.keys import SEPARATOR
from streams.wire.events import MAX_NAME_CHARACTERS, valid_name

# What stands before the first separator of a client's name; those without one are in the store without a name.
STORE_PATTERN = rf"^([A-Za-z0-9][A-Za-z0-9._:]{{0,{MAX_NAME_CHARACTERS - 2}}})?\Z"
STORE = re.compile(STORE_PATTERN)
STORE_RULE = f"what stands before the first {SEPARATOR} of a client's name, or nothing for names without one"


def checked_name(names: Mapping[str, str]) -> str:
    """Return what stands for NAME or STORE in a path, or an empty string; raises Problem for what can be no name."""
    if "STORE" in names:
        store = names["STORE"]
        if not STORE.match(store):
            raise problem_of(ProblemKind.INVALID_REQUEST, [Fault("STORE", f"A store is {STORE_RULE}.")])
        return store
    try:
        return valid_name(names["NAME"]) if "NAME" in names else ""
    except InvalidName as error:
        raise problem_of(ProblemKind.INVALID_REQUEST, [Fault("NAME", str(error))]) from None
