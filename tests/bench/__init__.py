"""Measuring programs of `make bench`; each prints its figures as one JSON object."""
