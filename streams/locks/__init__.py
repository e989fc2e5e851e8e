"""The locks of one pod: its keys, what was revoked, and how each request to pass was decided."""
