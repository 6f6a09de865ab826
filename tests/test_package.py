"""What the package and its families offer, so that completion finds it."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import trimtab

PACKAGES = ["trimtab", *(f"trimtab.{module.name}" for module in pkgutil.iter_modules(trimtab.__path__) if module.ispkg)]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_is_public_is_listed_and_there(name):
    package = importlib.import_module(name)
    for public in getattr(package, "__all__", ()):
        assert public in dir(package)
        assert getattr(package, public) is not None
    assert {each for each in dir(package) if not each.startswith("_")} or not hasattr(package, "__all__")


def test_the_package_lists_its_names_without_importing_torch():
    code = (
        "import sys, trimtab; print(*dir(trimtab)); print('torch' in sys.modules); print(trimtab.optim.Lion.__name__); "
        "print(trimtab.report.write_all.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    listed, imported, *named = done.stdout.splitlines()
    assert {"Comparison", "Session", "Task", "create", "optim", "read", "report", "schedule"} <= set(listed.split())
    assert (imported, named) == ("False", ["Lion", "write_all"])
