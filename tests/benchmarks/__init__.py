"""Measure this pod beside its peers: `make bench`."""
