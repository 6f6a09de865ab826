"""Tasks from what people have already: a set-up of Hugging Face's ``Trainer``, a Lightning module.

Neither package is imported before a task of its kind is made; both are extras.
"""
