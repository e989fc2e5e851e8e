"""Searches what the suite's programs write and answer for tokens, cookies, passwords and keys."""
