"""Tokens on the paths below /events: who may open a stream, and renew it."""
