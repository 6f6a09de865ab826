"""The README as the package index shows it: links that lead into the repository become absolute."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)(\[[^\]]*\])\((?![a-z]+:|#)([^)\s]+)\)")


def absolute(readme: str, repository: str) -> str:
    """Returns the README with links to files of the repository, and pictures as they are served raw."""
    return LINK.sub(
        lambda link: f"{link[1]}{link[2]}({repository}/{'raw' if link[1] else 'blob'}/HEAD/{link[3]})", readme
    )


class ReadmeHook(MetadataHookInterface):
    """Fills in ``readme``, with the address that ``[project.urls]`` has and no other place."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Is called when a distribution is built."""
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = absolute(readme, metadata["urls"]["Repository"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
