"""A page that renews itself, in a browser: it looks as it did before, and stays when the comparison is over."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.report.synthetic import SHAPES, comparison, over_problems
from trimtab.report import write_all
from trimtab.report.standing import Renewal, Standing

HOUR = 3_600_000


def running(done=37, seconds=60.0, *, ago=0.0):
    written = datetime.now().astimezone() - timedelta(seconds=ago)
    return Standing(f"Running: {done} of 208 trials", written, Renewal(seconds, 10 * seconds))


@pytest.fixture
def new_tab(browser):
    tabs, troubles = [], []

    def new():
        tab = browser.new_page(viewport={"width": 1280, "height": 900})
        tab.on("console", lambda message: troubles.append(message.text))
        tab.on("pageerror", lambda error: troubles.append(str(error)))
        tabs.append(tab)
        return tab

    yield new
    assert troubles == []
    for tab in tabs:
        tab.close()


@pytest.fixture
def tab(new_tab):
    return new_tab()


def drawn(tab):
    expect(tab.locator(".plot:not(.js-plotly-plot)")).to_have_count(0, timeout=20_000)


def test_a_page_loads_itself_anew_until_the_comparison_is_over(tab, tmp_path, result):
    write_all(result, tmp_path, running(37, 3.0))  # a page that was due before it is there waits for five seconds
    tab.goto((tmp_path / "report.html").as_uri())
    standing = tab.locator(".standing")
    expect(standing).to_contain_text("Running: 37 of 208 trials. Written ")
    write_all(result, tmp_path, running(38, 3.0))
    expect(standing).to_contain_text("Running: 38 of 208 trials", timeout=20_000)
    write_all(result, tmp_path)
    expect(standing).to_have_count(0, timeout=20_000)
    drawn(tab)
    tab.evaluate("window.stays = true")
    tab.clock.install()
    tab.clock.run_for(30_000)
    assert tab.evaluate("window.stays")


def test_what_is_open_chosen_filtered_and_scrolled_to_stays(tab, tmp_path, result):
    tab.clock.install()
    write_all(result, tmp_path, running(37, 3600.0))
    tab.goto((tmp_path / "report.html").as_uri())
    drawn(tab)
    tab.locator("details.pairs summary").click()
    tab.locator("#code details").nth(1).locator("summary").click()
    opened = tab.locator("#code details").nth(1).locator("summary").text_content()
    tab.locator("#figure-curves").get_by_role("button", name="accuracy").click()
    tab.locator("[data-filter=candidate]").select_option("lion")
    tab.locator("[data-filter=words]").fill("complete")
    loss = tab.locator(".trials thead").get_by_role("button", name="val loss")
    loss.click()
    loss.click()
    count = tab.locator(".count").text_content()
    tab.evaluate(
        "document.activeElement.blur(); document.querySelector('#trials').scrollIntoView({behavior: 'instant'})"
    )
    scrolled = tab.evaluate("scrollY")
    assert scrolled > 1000

    write_all(result, tmp_path)
    tab.clock.fast_forward(HOUR + 600_000)
    expect(tab.locator(".standing")).to_have_count(0, timeout=20_000)

    expect(tab.locator("details.pairs")).to_have_attribute("open", "")
    assert [each.locator("summary").text_content() for each in tab.locator("#code details[open]").all()] == [opened]
    expect(tab.locator("[data-filter=candidate]")).to_have_value("lion")
    expect(tab.locator("[data-filter=words]")).to_have_value("complete")
    assert tab.locator(".count").text_content() == count
    head = tab.locator(".trials th[aria-sort]")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(head).to_contain_text("val loss")
    assert abs(tab.evaluate("scrollY") - scrolled) < 60  # the line that it stood in is gone
    accuracy = tab.locator("#figure-curves").get_by_role("button", name="accuracy")
    expect(accuracy).to_have_attribute("aria-pressed", "true")
    assert tab.evaluate("history.state") is None


def with_far_ones(places):
    """A comparison with so many candidates far out."""
    shapes = [
        replace(shape, loss=40.0 + place) if place >= 6 - places else shape for place, shape in enumerate(SHAPES[:6])
    ]
    return comparison(tuple(shapes), broken=())


def test_a_close_up_stays_one_when_more_candidates_lie_outside(tab, tmp_path):
    tab.clock.install()
    write_all(with_far_ones(1), tmp_path, running(37, 3600.0))
    tab.goto((tmp_path / "report.html").as_uri())
    drawn(tab)
    tab.locator("#figure-ranking").get_by_role("button", name="close-up, 1 outside").click()

    write_all(with_far_ones(2), tmp_path)
    tab.clock.fast_forward(HOUR + 600_000)
    expect(tab.locator(".standing")).to_have_count(0, timeout=20_000)

    closer = tab.locator("#figure-ranking").get_by_role("button", name="close-up, 2 outside")
    expect(closer).to_have_attribute("aria-pressed", "true")


def test_whoever_types_is_left_alone_until_that_is_over(tab, tmp_path, result):
    tab.clock.install()
    write_all(result, tmp_path, running(37, 3600.0))
    tab.goto((tmp_path / "report.html").as_uri())
    drawn(tab)
    tab.locator("[data-filter=words]").fill("li")
    write_all(result, tmp_path)
    tab.clock.fast_forward(HOUR + 600_000)
    tab.locator("[data-filter=words]").press_sequentially("on")
    expect(tab.locator(".standing")).to_have_count(1)
    tab.evaluate("document.activeElement.blur()")
    tab.clock.run_for(2000)
    expect(tab.locator(".standing")).to_have_count(0, timeout=20_000)
    expect(tab.locator("[data-filter=words]")).to_have_value("lion")


def test_a_page_that_is_not_written_any_more_says_so(tab, tmp_path, result):
    late = tab.locator(".late-words")
    write_all(result, tmp_path, running(seconds=60.0, ago=30))
    tab.goto((tmp_path / "report.html").as_uri())
    expect(late).to_be_hidden()
    write_all(result, tmp_path, running(seconds=60.0, ago=3600))
    tab.goto((tmp_path / "report.html").as_uri())
    expect(late).to_be_visible()
    expect(late).to_contain_text("It has not been written for long: the comparison may have been stopped")


def test_pages_of_several_problems_renew_themselves(new_tab, tmp_path):
    result = over_problems(("digits", "diabetes"))
    write_all(result, tmp_path, running(37, 3600.0))
    tabs = [new_tab(), new_tab()]
    for tab, page in zip(tabs, ("report.html", "digits/report.html"), strict=True):
        tab.clock.install()
        tab.goto((tmp_path / page).as_uri())
        expect(tab.locator(".standing")).to_contain_text("Running: 37 of 208 trials")
    write_all(result, tmp_path)
    for tab in tabs:
        tab.clock.fast_forward(HOUR + 600_000)
        expect(tab.locator(".standing")).to_have_count(0, timeout=20_000)


def test_without_scripts_the_browser_renews_it(browser, tmp_path, result):
    write_all(result, tmp_path, running(37, 1.0))
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((tmp_path / "report.html").as_uri())
    expect(tab.locator(".standing")).to_contain_text("Running: 37 of 208 trials")
    write_all(result, tmp_path)
    expect(tab.locator(".standing")).to_have_count(0, timeout=20_000)
    context.close()
