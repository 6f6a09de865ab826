"""Surrogates of Bayesian optimisation that are neural networks (Li et al., 2023, arXiv:2305.20028)."""
