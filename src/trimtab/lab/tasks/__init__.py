"""The training tasks that ship."""
