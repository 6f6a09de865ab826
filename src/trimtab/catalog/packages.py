"""Whether the packages of an extra are installed in the versions that it asks for: pip holds nobody else to these."""

import functools
from collections.abc import Iterable
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@functools.cache
def requirements(extra: str) -> dict[str, Requirement]:
    """Returns what an extra asks for beyond what is always required, by the names of the packages.

    Args:
        extra: the part of ``trimtab[...]``.
    """
    try:
        texts = metadata.requires("trimtab") or []
    except metadata.PackageNotFoundError:  # it is not installed, but lies on the path
        return {}
    asked = [each for each in map(Requirement, texts) if each.marker and each.marker.evaluate({"extra": extra})]
    return {canonicalize_name(each.name): each for each in asked}


def other_versions(extra: str, modules: Iterable[str] | None = None) -> list[str]:
    """Returns which packages of an extra are installed in versions that it does not ask for, and in which.

    Args:
        extra: the part of ``trimtab[...]``.
        modules: names of modules in the packages that count; all of the extra by default.
    """
    every = requirements(extra)
    named = every if modules is None else {canonicalize_name(module.partition(".")[0]) for module in modules}
    found = (_other_version(extra, name) for name in every if name in named)
    return [each for each in found if each is not None]


@functools.cache
def _other_version(extra: str, name: str) -> str | None:
    asked = requirements(extra)[name]
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
    if asked.specifier.contains(version, prereleases=True):
        return None
    return f"{asked.name}{asked.specifier}, and {version} is installed"
