"""Commands as problems: what is run for a candidate, and where its number is found."""
