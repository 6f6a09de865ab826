"""Bayesian optimisation as a tutorial has it: a loop over BoTorch's models with an exact value of the next look."""
