"""Coordinate-wise clipping, and how sharp the directions are for which it helps."""
