"""The whole site in a browser: nothing leaves its column, no table has an empty head, and both schemes can be read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError, expect

from trimtab.catalog import entries
from trimtab.lab.shipped import of_slot

ROOT = Path(__file__).parents[2]
ASK = Path(__file__).with_name("site.js").read_text(encoding="utf-8")
BOXED = """() => [...document.querySelectorAll("article table:not([class])")].every(
    (table) => table.closest(".md-typeset__table")
)"""
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1400, "height": 900}
MEASURED = ("index.html", "which-optimizer/index.html", "methods/lion/index.html", "reference/curvature/index.html")
"""Pages on which the contrast of every word is measured."""
FIGURES = "methods/lion/index.html"
"""A page with all scripts: what draws figures, too."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as ``make docs`` builds it, or has just built it."""
    if built := os.environ.get("TRIMTAB_TEST_SITE"):
        return Path(built)
    place = tmp_path_factory.mktemp("site")
    quiet = {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", place],
        cwd=ROOT,
        env={**os.environ, **quiet},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def tab(browser):
    context = browser.new_context(color_scheme="light")
    context.add_init_script(ASK)
    tab = context.new_page()
    yield tab
    context.close()


def shown(tab, page, size=DESK, scheme="light"):
    """Opens a page when the theme's script has put its tables into boxes."""
    tab.set_viewport_size(size)
    tab.emulate_media(color_scheme=scheme)
    tab.goto(page.as_uri())
    tab.wait_for_function(BOXED)


def turned(tab, page, size):
    """Exchanges what is on a page for another's, and calls what fits that to its place.

    All pages of the site have the same head and scripts: to load them anew takes the most of a page's time.
    """
    tab.set_viewport_size(size)
    tab.evaluate("turned.to", [page.read_text(encoding="utf-8"), page.as_uri()])
    tab.wait_for_function(BOXED)


def asked(tab, question):
    return tab.evaluate(f"asked.{question}()")


def overflow(tab):
    try:  # figures take a moment to fit into another size
        tab.wait_for_function("asked.overflow().length === 0", timeout=3000)
    except TimeoutError:
        return [f"{tab.viewport_size['width']} px: {each}" for each in asked(tab, "overflow")]
    return []


def test_nothing_leaves_its_column_on_any_page(site, tab):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    found, sizes = {}, [PHONE, DESK]
    shown(tab, site / FIGURES)
    for page in pages:
        turned(tab, page, sizes[0])
        assert tab.locator(".figure:not(.js-plotly-plot)").count() == 0
        name = str(page.relative_to(site))
        found[name] = [*asked(tab, "emptyHeads"), *overflow(tab)]
        tab.set_viewport_size(sizes[1])
        found[name] += overflow(tab)
        sizes.reverse()  # the next page begins with this size: to be laid out again only to be left takes as long
    assert {name: complaints for name, complaints in found.items() if complaints} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", MEASURED)
def test_words_and_figures_have_contrast_in_both_schemes(site, tab, page, scheme):
    shown(tab, site / page, scheme=scheme)
    expect(tab.locator("body")).to_have_attribute("data-md-color-scheme", {"light": "default", "dark": "slate"}[scheme])
    assert asked(tab, "faint") == []
    assert asked(tab, "faintFigures") == []
    drawn = page in ("methods/lion/index.html", "which-optimizer/index.html")
    assert tab.locator(".figure .main-svg").count() == (3 if drawn else 0)  # a figure has three layers


def test_figures_follow_a_change_of_the_scheme(site, tab):
    shown(tab, site / "methods/lion/index.html")
    words, line = tab.locator(".figure .ytick text").first, tab.locator(".figure .scatterlayer .point").first
    expect(words).to_have_css("fill", "rgb(22, 33, 42)")
    expect(line).to_have_css("fill", "rgb(26, 95, 176)")
    tab.emulate_media(color_scheme="dark")
    expect(words).to_have_css("fill", "rgb(232, 237, 240)")
    expect(line).to_have_css("fill", "rgb(61, 143, 224)")


def test_the_home_page_shows_a_report_and_all_tasks(site, tab):
    shown(tab, site / "index.html")
    picture = tab.locator("article img")
    assert picture.evaluate("image => image.complete && image.naturalWidth") == 1280
    assert "ranks six optimizers" in picture.get_attribute("alt")
    names = tab.locator("article table td:first-child code").all_text_contents()
    assert names == list(of_slot("optimizer"))


def test_methods_are_found_by_their_family(site, tab):
    shown(tab, site / "methods/index.html")
    tabs = [name.strip() for name in tab.locator(".md-tabs__link").all_text_contents()]
    assert tabs == ["Home", "Use it", "Compare", "Understand", "Methods", "Reference"]
    rows = tab.locator("article table td:nth-child(2) code").all_text_contents()
    assert sorted(rows) == sorted(entries())


def test_the_guide_is_short_and_its_evidence_unfolds(site, tab):
    shown(tab, site / "which-optimizer/index.html")
    field = tab.get_by_role("heading", name="The whole field on seven tasks")
    assert field.evaluate("heading => heading.getBoundingClientRect().top") < 2 * DESK["height"]
    evidence = tab.locator("article details").first
    words = evidence.get_by_text("What the verdicts support")
    expect(words).to_be_hidden()
    evidence.locator("summary").click()
    expect(words).to_be_visible()
