"""Tables for tests, and what writes them."""

import csv

import numpy as np


def write(path, columns):
    """Writes columns as CSV, NaN as nothing."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if value != value else value for value in row])
    return path


def houses(rows, seed=0):
    """Prices of houses, by numbers and categories with gaps; a tenth of their logarithm's spread is noise."""
    generator = np.random.default_rng(seed)
    area = generator.lognormal(4.5, 0.4, rows).round(1)
    age = generator.integers(0, 90, rows).astype(float)
    district = generator.integers(0, 12, rows)
    state = generator.choice(3, rows, p=[0.2, 0.5, 0.3])
    worth = generator.normal(0, 0.4, 12)[district] + np.array([-0.3, 0, 0.2])[state]
    price = np.exp(11 + 0.8 * np.log(area / 90) - 0.004 * age + worth + generator.normal(0, 0.12, rows))
    age[generator.random(rows) < 0.15] = np.nan
    states = np.array(["poor", "fair", "good"])[state]
    states[generator.random(rows) < 0.1] = ""
    return {
        "area": area.tolist(),
        "age": age.tolist(),
        "district": [f"district {each}" for each in district],
        "state": states.tolist(),
        "price": price.round().tolist(),
    }
