"""AGVM: one learning rate a module, by how noisy its gradients are."""
