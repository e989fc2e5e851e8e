"""JSON values for Hypothesis: those that Python holds, and all that JSON's grammar allows."""

from __future__ import annotations

import json

from hypothesis import strategies as st

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


surrogates = st.text(st.characters() | st.characters(categories=["Cs"]))
numbers = st.from_regex(r"\A-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?\Z")
any_json = st.recursive(
    st.sampled_from(["null", "true", "false"]) | numbers | surrogates.map(json.dumps),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda values: f"[{','.join(values)}]")
        | st.lists(st.tuples(surrogates.map(json.dumps), inner), max_size=3).map(
            lambda items: f"{{{', '.join(f'{key} : {value}' for key, value in items)}}}"
        )
    ),
    max_leaves=8,
)
