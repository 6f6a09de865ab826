"""Checks that are known to fail, with the reason, are reported as such, and are errors when they pass."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest


class Excepting:
    """The part of a suite that knows of exceptions."""

    exceptions: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        checks = {name.removeprefix("test_") for name in dir(cls) if name.startswith("test_")}
        unknown = sorted(name for name in cls.exceptions if name.partition("[")[0] not in checks)
        if unknown:
            raise TypeError(f"{cls.__name__}.exceptions names no check: {', '.join(unknown)}")

    @pytest.fixture(autouse=True)
    def _expect_exceptions(self, request: pytest.FixtureRequest) -> None:
        # Strict: an exception that is no longer needed is itself a failure, so the list cannot grow stale.
        names = {request.node.name.removeprefix("test_"), request.node.originalname.removeprefix("test_")}
        for name in names & self.exceptions.keys():
            request.node.add_marker(pytest.mark.xfail(reason=self.exceptions[name], strict=True))


def require(condition: object, message: str) -> None:
    """Fails the check with a message; unlike ``assert``, also under ``python -O`` and without pytest's rewriting.

    Raises:
        AssertionError: the condition does not hold.
    """
    if not condition:
        raise AssertionError(message)
