"""What families export is what the catalogue has, and helpers that they name."""

import importlib
from importlib import resources

import pytest

from trimtab import exports
from trimtab.catalog import entries, find

FAMILIES = ("compress", "optim", "schedule", "search")


@pytest.mark.parametrize("family", FAMILIES)
def test_everything_is_there_under_its_name(family):
    module = importlib.import_module(f"trimtab.{family}")
    assert module.__all__ == sorted({*exports.catalogued(family), *module._HELPERS})
    for name in module.__all__:
        assert getattr(module, name).__name__.rpartition(".")[2] == name
        assert name in dir(module)
    with pytest.raises(AttributeError, match=f"module 'trimtab.{family}' has no attribute 'Nothing'"):
        _ = module.Nothing


@pytest.mark.parametrize("family", FAMILIES)
def test_imports_for_types_are_those(family):
    module = importlib.import_module(f"trimtab.{family}")
    source = (resources.files("trimtab") / family / "__init__.py").read_text(encoding="utf-8")
    assert exports.with_imports(source, family, module._HELPERS) == source, "run `make format`"


def test_what_the_catalogue_has_of_ours_is_exported_by_its_family():
    ours = [each for each in entries().values() if each.object.startswith("trimtab.") and each.extra is None]
    assert len(ours) > 15
    for entry in ours:
        module, name = entry.public
        assert module == f"trimtab.{entry.family}"
        assert getattr(importlib.import_module(module), name).__module__ == entry.object.partition(":")[0]


def test_what_needs_other_packages_is_imported_from_its_family_where_that_exports_it():
    assert find("bo").public == ("trimtab.search", "BOSampler")
    assert find("botorch").public == ("trimtab.search.baselines", "BoTorchLogEI")
