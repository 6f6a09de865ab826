"""What ``results.json`` calls itself."""

SCHEMA, SCHEMA_OVER_PROBLEMS = "trimtab.comparison", "trimtab.comparison-over-problems"
SCHEMA_VERSION = 2
"""Grows when a field is renamed, removed or changes its meaning; not when one is added."""
