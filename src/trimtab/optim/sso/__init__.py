"""Surrogate optimisation: several steps on outputs that were computed once, with its line searches."""
