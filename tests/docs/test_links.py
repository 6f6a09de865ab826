"""Links of the README and the pages lead somewhere in a clone, but for the methods' pages, which the build writes."""

import os
import re
from pathlib import Path

import pytest

from trimtab.catalog import entries

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
WRITTEN = {f"docs/methods/{name}.md" for name in entries()}


def targets(page):
    """The files that a page links to, as paths from the repository's root."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    return {os.path.normpath(page.parent.relative_to(ROOT) / link) for link in links}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_are_there(page):
    missing = {target for target in targets(page) if not (ROOT / target).exists()}
    assert missing <= (set() if page == README else WRITTEN)


def test_the_readme_says_what_only_the_site_has():
    text = " ".join(README.read_text(encoding="utf-8").split())
    assert "docs/own-task.md" in targets(README)
    assert "`make docs` builds the documentation: open `site/index.html`. Only there are the methods' own pages" in text


def test_the_place_of_the_methods_pages_says_so():
    assert "*The built site has the list of methods here" in (ROOT / "docs/methods/index.md").read_text(
        encoding="utf-8"
    )
