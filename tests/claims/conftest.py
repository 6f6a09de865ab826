import pytest

from trimtab.claims import CLAIMS


@pytest.fixture
def register(monkeypatch):
    """Makes ``toy`` the only claim there is, one of those in ``tests.claims.toy``."""

    def use(name):
        for method in list(CLAIMS):
            monkeypatch.delitem(CLAIMS, method)
        monkeypatch.setitem(CLAIMS, "toy", f"tests.claims.toy:{name}")

    return use
