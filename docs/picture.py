"""Takes the picture of a report that the README and the home page show.

``python docs/picture.py runs/digits``: it is the page that ``trimtab compare digits`` draws, from the question to the
marks of the table, as it is on a light screen. Run the comparison on a machine that does nothing else: the table says
how long a step takes.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

WIDTH = 1280
MARGIN = 20


def take(page: Path, picture: Path) -> None:
    """Writes the upper part of a page to a picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        tab.goto(page.resolve().as_uri())
        first, last = tab.locator("h1").bounding_box(), tab.locator("#ranking .key").bounding_box()
        top, bottom = first["y"] + MARGIN, last["y"] + last["height"] + MARGIN / 2
        tab.screenshot(path=picture, full_page=True, clip={"x": 0, "y": top, "width": WIDTH, "height": bottom - top})
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Takes the picture of a report.")
    parser.add_argument("study", type=Path, help="directory of the comparison")
    take(parser.parse_args().study / "report.html", Path(__file__).parent / "assets" / "report.png")
