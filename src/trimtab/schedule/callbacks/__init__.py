"""Controllers in the training loops of others.

Each host is imported by its own module only: ``trimtab.schedule.callbacks.huggingface`` and ``.lightning``.
"""
