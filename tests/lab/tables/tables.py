"""Tables for tests, which are those of the benchmark."""

from table_models import houses, write

__all__ = ["houses", "write"]
