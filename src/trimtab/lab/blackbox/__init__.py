"""Functions of which nothing is known but their values: what samplers search."""
