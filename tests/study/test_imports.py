"""Studies are of anything: nothing here needs torch, which takes seconds to import."""

import subprocess
import sys

EVERYTHING = """
import importlib, pkgutil, sys
import trimtab.study
for module in pkgutil.walk_packages(trimtab.study.__path__, "trimtab.study."):
    importlib.import_module(module.name)
import trimtab.lab.commands.problem
print(len([name for name in sys.modules if name.startswith("trimtab.study.")]), "torch" in sys.modules)
"""


def test_neither_studies_nor_workers_of_commands_import_torch():
    done = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, check=True)
    modules, torch = done.stdout.split()
    assert int(modules) > 25
    assert torch == "False"
