"""Prior-data fitted networks: a transformer that was trained once on functions of a prior, and is fitted to no data.

Yu, Picard and Ahmed (2024), arXiv:2404.04495, on Müller et al. (2022), arXiv:2112.10510.
"""
