"""Each method's central claim, as an experiment that anybody can run.

Nothing is imported here but names, so that a list of the claims does not wait for torch.
"""

from importlib import resources

from trimtab.catalog.entries import Entry, entries

_MODULES = {file.name.removesuffix(".py") for file in resources.files(__name__).iterdir()}


def _module(entry: Entry) -> str | None:
    """The module of a method's claim: of the method's own name unless its entry says another one."""
    name = entry.claim or entry.key
    if name not in _MODULES:
        return None
    return f"{__name__}.{name}:CLAIM"


CLAIMS: dict[str, str] = {
    entry.key: where for entry in entries().values() if entry.kind != "baseline" and (where := _module(entry))
}
"""A method of the catalogue, and where its claim is: ``module:name``. Several methods may share one."""
