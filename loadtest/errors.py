"""What can go wrong in a load test, each as one sentence for the operator."""

from __future__ import annotations


class LoadTestError(Exception):
    """The test could not be run, or not to its end."""


class ImpossiblePlan(LoadTestError):
    """The arguments ask for something that this machine or this tool cannot do."""


class ProtocolError(LoadTestError):
    """The server sent something that is no event stream over HTTP/1.1."""
