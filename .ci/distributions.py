"""Checks that the distributions in a directory hold what they must, and nothing else.

The sdist holds every file that git tracks, so that it can be built and tested; the wheel the package, with its data.

Usage: python .ci/distributions.py dist
"""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/"
MADE = {"PKG-INFO"}
"""What an sdist has beside the repository's files."""


def tracked() -> set[str]:
    """The repository's files."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines())


def in_sdist(file: Path) -> set[str]:
    """The files of an sdist, without its directory."""
    with tarfile.open(file) as archive:
        return {each.name.partition("/")[2] for each in archive if each.isfile()} - MADE


def in_wheel(file: Path) -> set[str]:
    """The files of a wheel, without what describes it."""
    with zipfile.ZipFile(file) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def relative_links(file: Path) -> list[str]:
    """The links of the README in a wheel that lead nowhere on the package index."""
    with zipfile.ZipFile(file) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        text = archive.read(name).decode()
    return re.findall(r"\]\((?![a-z]+://|#)([^)]*)\)", text)


def complaints(found: set[str], wanted: set[str], where: str) -> list[str]:
    """Says what is missing, and what should not be there."""
    return [
        *(f"{where} lacks {name}" for name in sorted(wanted - found)),
        *(f"{where} holds {name}" for name in sorted(found - wanted)),
    ]


def main(directory: Path) -> int:
    """Prints what is wrong, and returns whether anything is."""
    (sdist,), (wheel,) = directory.glob("*.tar.gz"), directory.glob("*.whl")
    files = tracked()
    package = {name.removeprefix(PACKAGE) for name in files if name.startswith(PACKAGE)}
    found = [*complaints(in_sdist(sdist), files, sdist.name), *complaints(in_wheel(wheel), package, wheel.name)]
    found += [f"{wheel.name}: its README links to {link}" for link in relative_links(wheel)]
    print("\n".join(found) or f"{sdist.name} has {len(files)} files, {wheel.name} {len(package)}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
