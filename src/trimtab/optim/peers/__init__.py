"""Optimizers of other packages that need more of a run than a closure: how they take a step on a session, and pay.

The catalogue names the package's own class, for loops of one's own; these are what stands in a comparison.
"""
