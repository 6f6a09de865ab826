"""From a method's name to its claim."""

import importlib
from typing import cast

from trimtab.catalog import entries
from trimtab.claims import CLAIMS
from trimtab.claims.claim import Claim
from trimtab.study.errors import InputError
from trimtab.study.suggestions import nearest


def load_reference(reference: str) -> Claim:
    """Returns the claim at ``module:name``."""
    module, _, name = reference.partition(":")
    return cast(Claim, getattr(importlib.import_module(module), name))


def find_reference(name: str) -> str:
    """Returns where the claim of a method is.

    Raises:
        InputError: no method of that name has a claim; the message offers the nearest.
    """
    wanted = name.strip().lower()
    if wanted in entries() and wanted not in CLAIMS:
        raise InputError(
            f"no claim for {name!r}, a {entries()[wanted].kind}; `trimtab verify` lists those that there are"
        )
    if wanted not in CLAIMS:
        raise InputError(
            f"no claim for {name!r}; {nearest(wanted, CLAIMS, '`trimtab verify` lists those that there are')}"
        )
    return CLAIMS[wanted]
