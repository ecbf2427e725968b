"""Measurements of both services beside what they are held against, in one run: `make bench`."""
