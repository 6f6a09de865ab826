"""What a report of 5,000 trials takes: its size, and the seconds until a browser has drawn it.

    python benchmarks/report_scale.py [--candidates 20] [--trials 240] [--seeds 10] [--repeats 5]

The comparison is made up from formulas (``tests/report/synthetic.py``): its trials have curves of 21 points, some
diverged or failed. The page is opened from its file, each time in a new headless Chromium with an empty cache and
without a graphics processor. Times count from the start of the navigation; the page marks them itself. Medians are
printed beside their goals.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from trimtab.report.page import write_page

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.report.synthetic import many_trials

SECONDS, MEGABYTES = 2.0, 10.0
MARKS = {
    "text on the screen": "first-contentful-paint",
    "table of trials usable": "trials drawn",
    "all figures drawn": "figures drawn",
}
READ = """() => Object.fromEntries(
  [...performance.getEntriesByType("mark"), ...performance.getEntriesByType("paint")]
    .map((entry) => [entry.name, entry.startTime / 1000]))"""


def open_page(browser: Browser, path: Path) -> dict[str, float]:
    """Opens a page and returns its marks, in seconds, when its figures are drawn."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri(), wait_until="commit")
    while "figures drawn" not in (marks := page.evaluate(READ)):
        time.sleep(0.2)  # each look interrupts the page
    return marks


def verdict(value: float, goal: float) -> str:
    return f"goal < {goal:g}: {'met' if value < goal else 'MISSED'}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--trials", type=int, default=240)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("chromium was not found: apt-get install chromium")
    result = many_trials(options.candidates, trials=options.trials, seeds=options.seeds)
    found: dict[str, list[float]] = {name: [] for name in MARKS}
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        start = time.perf_counter()
        path = write_page(result, Path(directory) / "report.html")
        written = time.perf_counter() - start
        megabytes = path.stat().st_size / 1e6
        for _ in range(options.repeats):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            marks = open_page(browser, path)
            browser.close()
            for name, mark in MARKS.items():
                found[name].append(marks[mark])
    print(f"{len(result.trials):,} trials of {options.candidates} candidates, median of {options.repeats} repeats")
    print(f"  {'written in':24} {written:6.2f} s    {verdict(written, SECONDS)}")
    print(f"  {'size':24} {megabytes:6.2f} MB   {verdict(megabytes, MEGABYTES)}")
    for name, seconds in found.items():
        median = statistics.median(seconds)
        print(f"  {name:24} {median:6.2f} s    {verdict(median, SECONDS)}   (worst {max(seconds):.2f} s)")


if __name__ == "__main__":
    main()
