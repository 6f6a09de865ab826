"""The catalogue: what methods there are, and building them by name."""

from trimtab.catalog.entries import Entry, entries, families, find, search

__all__ = ["Entry", "entries", "families", "find", "search"]
