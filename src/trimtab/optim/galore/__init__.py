"""GaLore: steps in the dominant subspaces of gradients."""
