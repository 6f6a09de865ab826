"""Mechanisms that several methods share, one in a file, with no idea of the paper that uses them."""
