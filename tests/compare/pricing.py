"""Budgets and prices for tests."""

from trimtab.compare.budget import Budget
from trimtab.compare.prices import Price


def budget(seconds, trials=None, seeds=None, usual=10, since=0.0):
    return Budget(seconds, trials, seeds, usual, since)


def prices(*seconds, **more):
    return [Price(f"c{i}", True, each, each, **more) for i, each in enumerate(seconds)]
