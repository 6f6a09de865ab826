"""What a study ran on."""

import datetime
import importlib.metadata
import platform
from pathlib import Path

from trimtab.study.cores import usable_cores

_PACKAGES = ("trimtab", "torch", "numpy", "optuna", "scikit-learn")


def environment() -> dict[str, str]:
    """Returns the versions, the processor and the day."""
    versions = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{_processor()}, {usable_cores()} cores used",
        **versions,
    }


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.is_file():
        for line in facts.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
