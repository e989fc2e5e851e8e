"""Serve the observed application under the pod's own server: `python -m tests.soak.pod PORT`."""

from __future__ import annotations

import sys

from tests.support.applications.introspection import application
from tests.support.http import HOST


def main() -> None:
    # This module makes Twisted's reactor, and needs Django to be set up, as the application has done.
    from streams.pod import get_pod
    from streams.server.daphne import StreamServer

    StreamServer(application, get_pod(), host=HOST, port=int(sys.argv[1])).run()


if __name__ == "__main__":
    main()
