"""Trained networks that are to be made smaller: what transforms are compared on."""
