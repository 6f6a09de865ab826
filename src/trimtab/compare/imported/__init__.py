"""Runs that others made: read from a table, checked, and analysed as runs of a comparison are."""
