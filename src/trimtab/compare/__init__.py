"""The main job: which of these methods helps on a task, with evidence."""

DEFAULT_TRIALS = 16
"""Settings tried for each candidate: over the three powers of ten of a learning rate, five in each."""
