from __future__ import annotations

import json

import pytest

from streams.publishing.samples import sample_data
from streams.wire.events import ACTIONS


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_plausible_data(action: str):
    data = sample_data(action)
    assert data
    assert json.loads(json.dumps(data)) == data


def test_samples_differ():
    assert sample_data("payment") != sample_data("payment")


def test_an_unknown_action_has_none():
    with pytest.raises(KeyError):
        sample_data("dance")
