"""Formats that a table can be written in: what a format is, and those that corekit brings. A table in, bytes out."""
