"""What `make dist` asks of a wheel and an sdist."""

import importlib.util
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

FILES = {"README.md", "src/trimtab/py.typed", "src/trimtab/report/page.css"}


@pytest.fixture
def check(monkeypatch):
    path = Path(__file__).parents[1] / ".ci" / "distributions.py"
    spec = importlib.util.spec_from_file_location("distributions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "tracked", lambda: FILES)
    return module.main


def distributions(directory, sdist, wheel, readme):
    with tarfile.open(directory / "trimtab-1.tar.gz", "w:gz") as archive:
        for name in sdist:
            archive.addfile(tarfile.TarInfo(f"trimtab-1/{name}"), io.BytesIO())
    with zipfile.ZipFile(directory / "trimtab-1.whl", "w") as archive:
        for name in wheel:
            archive.writestr(name, "")
        archive.writestr("trimtab-1.dist-info/METADATA", f"Name: trimtab\n\n{readme}")


SDIST = {*FILES, "PKG-INFO"}
WHEEL = {"trimtab/py.typed", "trimtab/report/page.css"}


@pytest.mark.parametrize(
    ("sdist", "wheel", "readme", "words"),
    [
        (SDIST, WHEEL, "[a](https://a.org) [b](#b)", ""),
        (SDIST - {"README.md"}, WHEEL, "", "trimtab-1.tar.gz lacks README.md"),
        (SDIST | {"runs/study.db"}, WHEEL, "", "trimtab-1.tar.gz holds runs/study.db"),
        (SDIST, WHEEL - {"trimtab/py.typed"}, "", "trimtab-1.whl lacks trimtab/py.typed"),
        (SDIST, WHEEL | {"tests/conftest.py"}, "", "trimtab-1.whl holds tests/conftest.py"),
        (SDIST, WHEEL, "![a](docs/a.png)", "trimtab-1.whl: its README links to docs/a.png"),
    ],
)
def test_they_hold_what_they_must_and_nothing_else(check, tmp_path, capsys, sdist, wheel, readme, words):
    distributions(tmp_path, sdist, wheel, readme)
    assert check(tmp_path) == bool(words)
    assert capsys.readouterr().out == f"{words or 'trimtab-1.tar.gz has 3 files, trimtab-1.whl 2'}\n"
