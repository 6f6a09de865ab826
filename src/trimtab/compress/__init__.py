"""Smaller networks: which weights a trained network can do without."""

from typing import TYPE_CHECKING

from trimtab import exports

if TYPE_CHECKING:
    from trimtab.compress.allocation import Allocation as Allocation
    from trimtab.compress.allocation import prune as prune
    from trimtab.compress.lamp import LampPruning as LampPruning
    from trimtab.compress.lamp import lamp_counts as lamp_counts
    from trimtab.compress.magnitude import MagnitudePruning as MagnitudePruning
    from trimtab.compress.magnitude import global_counts as global_counts
    from trimtab.compress.uniform import UniformPruning as UniformPruning
    from trimtab.compress.uniform import uniform_counts as uniform_counts

_HELPERS = {
    "Allocation": "trimtab.compress.allocation",
    "global_counts": "trimtab.compress.magnitude",
    "lamp_counts": "trimtab.compress.lamp",
    "prune": "trimtab.compress.allocation",
    "uniform_counts": "trimtab.compress.uniform",
}
"""What the family exports beside what its catalogue has, and where it is."""

__all__ = list(exports.names("compress", _HELPERS))

if not TYPE_CHECKING:  # names are checked by the imports above

    def __getattr__(name: str) -> object:
        return exports.load("compress", _HELPERS, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
