"""Packages of an extra that are of another version than it asks for, or do not import."""

import importlib.util
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import pytorch_optimizer

from trimtab.catalog import entries, find, packages
from trimtab.study.errors import InputError

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
PEERS = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["peers"]


@pytest.fixture
def versions(monkeypatch):
    """Pretends that packages are of other versions, and that these are asked for."""
    asked = ["torch>=2.9", "schedulefree>=2; extra == 'docs'", *(f"{each}; extra == 'peers'" for each in PEERS)]
    told = {}
    real = metadata.version
    monkeypatch.setattr(metadata, "requires", lambda name: asked)
    monkeypatch.setattr(metadata, "version", lambda name: told.get(name) or real(name))
    caches = packages.requirements, packages._other_version
    for each in caches:
        each.cache_clear()
    yield told
    for each in caches:
        each.cache_clear()


@pytest.mark.parametrize("name", ["mars", "sam", "cautious_adamw"])
def test_a_version_that_is_too_old_is_refused_with_what_mends_it(name, versions):
    versions["pytorch-optimizer"] = "3.10.1"
    fault = r"needs pytorch-optimizer>=4\.1, and 3\.10\.1 is installed: pip install 'trimtab\[peers\]'"
    with pytest.raises(InputError, match=f"^{name} {fault}$"):
        find(name).load()
    assert find("schedulefree").load().__name__ == "AdamWScheduleFree"  # of another package
    assert find("lbfgs").load().__name__ == "LBFGS"


def test_builds_of_ones_own_and_versions_before_a_release_count_by_their_numbers(versions):
    versions["pytorch-optimizer"] = "4.2.0.dev1+gabc"
    assert find("mars").load().__name__ == "MARS"


class Broken:
    """Finds a package, and fails when it is imported."""

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == "pytorch_optimizer" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        raise ImportError("cannot import name 'ParamsT' from 'torch.optim.optimizer'")


def test_a_package_that_does_not_import_is_no_traceback(versions, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pytorch_optimizer"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "trimtab.optim.peers.sam", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    newest = r"pip install --upgrade --upgrade-strategy eager 'trimtab\[peers\]'"
    for name in ("sam", "mars"):
        with pytest.raises(InputError, match=rf"^{name} does not import \(cannot import name 'ParamsT'.*: {newest}$"):
            find(name).load()
    versions["pytorch-optimizer"] = "3.10.1"
    packages._other_version.cache_clear()
    with pytest.raises(InputError, match=r"^sam needs pytorch-optimizer>=4\.1, and 3\.10\.1 is installed \(cannot"):
        find("sam").load()


def test_a_class_that_its_package_does_not_have_is_no_traceback(versions, monkeypatch):
    monkeypatch.delattr(pytorch_optimizer, "MARS")
    with pytest.raises(InputError, match=r"^mars does not import \(module 'pytorch_optimizer' has no .*'MARS'\); this"):
        find("mars").load()


def test_of_every_peer_is_known_which_version_of_which_package_is_asked_for(versions):
    brought = {name for name, each in packages.requirements("peers").items() if each.specifier}
    for entry in [entry for entry in entries().values() if entry.extra == "peers"]:
        assert {each.__module__.partition(".")[0].replace("_", "-") for each in entry.load().__mro__} & brought


def test_of_several_packages_those_count_whose_modules_are_named(versions):
    versions |= {"torchao": "0.13", "schedulefree": "1.5"}
    fault = "torchao>=0.14, and 0.13 is installed"
    assert packages.other_versions("peers") == [fault]
    assert packages.other_versions("peers", ["torchao.optim.adam", "torch"]) == [fault]
    assert packages.other_versions("peers", ["schedulefree", "torch"]) == []


def test_what_is_not_installed_has_no_version_and_trimtab_on_the_path_alone_asks_for_nothing(versions, monkeypatch):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert packages.other_versions("peers") == []
    packages.requirements.cache_clear()
    monkeypatch.setattr(metadata, "requires", absent)
    assert packages.requirements("peers") == {}
