"""Numbers that several tests are made of."""

import numpy as np
from scipy import special


def standard_sample(n):
    """Numbers with mean 0 and standard deviation 1, which are multiples of nothing in common."""
    values = special.ndtri((np.arange(n) + 0.4) / n)
    return (values - values.mean()) / values.std(ddof=1)
