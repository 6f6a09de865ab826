"""Learning rates from curvature: for another batch size, and during a run."""
