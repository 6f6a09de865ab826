"""Saved states of other optimizers, made into those of ours."""
