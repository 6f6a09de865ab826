"""The page in a browser: it draws, sorts, filters, copies, follows the colour scheme, and asks nothing of a network."""

import dataclasses

import pytest
from playwright.sync_api import expect

from tests.diagnose.test_page import RESULT
from tests.report.synthetic import HOSTILE, SHAPES, TRACEBACK, comparison, many_trials, over_problems, pruned
from trimtab.diagnose.page import diagnosis_page
from trimtab.lab.commands.problem import command_facts
from trimtab.report import write_all
from trimtab.report.page import write_page
from trimtab.report.sections import write_sections
from trimtab.schedule.refined.page import refinement_page
from trimtab.schedule.refined.refinement import refine_run
from trimtab.study.metric import Metric

FIGURES = 5
LIGHT, DARK = "rgb(22, 33, 42)", "rgb(232, 237, 240)"


class Opened:
    """A page that is drawn, with what went wrong and what was asked for on the way."""

    def __init__(self, page, path, figures=FIGURES):
        self.troubles, self.requests = [], []
        self.page = page
        self.page.set_viewport_size({"width": 1280, "height": 900})
        self.page.emulate_media(color_scheme="light")
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.troubles.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        for place in range(figures):
            expect(self.page.locator(".js-plotly-plot").nth(place).locator(".main-svg").first).to_be_visible(
                timeout=20_000
            )

    def rows(self):
        return self.page.locator(".trials tbody tr")

    def column(self, heading):
        place = [text.strip() for text in self.page.locator(".trials thead th").all_text_contents()].index(heading)
        return self.page.locator(".trials tbody tr").locator(f"td:nth-child({place + 1})").all_text_contents()

    def count(self):
        return self.page.locator(".count").text_content()

    def wait_until_it_fits(self):
        """Figures are drawn anew a moment after the window has changed."""
        self.page.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    def overflow(self):
        return self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture(scope="module")
def opened(browser, result, tmp_path_factory):
    page = browser.new_page()
    yield Opened(page, write_page(result, tmp_path_factory.mktemp("page") / "report.html"))
    page.close()


@pytest.fixture(scope="module")
def tab(browser):
    """A page for one report after another: a new one would have the browser compile what draws them again."""
    tab = browser.new_page()
    yield tab
    tab.close()


@pytest.fixture
def phone(tab):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.emulate_media(color_scheme="light")
    return tab


@pytest.fixture(autouse=True)
def nothing_goes_wrong(request):
    yield
    if "opened" in request.fixturenames:
        opened = request.getfixturevalue("opened")
        assert opened.troubles == []
        assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture
def filters(opened):
    """The filters, which are cleared again."""
    yield {name: opened.page.locator(f"[data-filter={name}]") for name in ("words", "candidate", "phase", "status")}
    opened.page.locator("[data-filter=words]").fill("")
    for name in ("candidate", "phase", "status"):
        opened.page.locator(f"[data-filter={name}]").select_option("")


def test_every_figure_is_drawn(opened):
    assert opened.page.locator(".js-plotly-plot").count() == FIGURES
    assert opened.page.locator("#figure-ranking .point").count() >= 6
    assert opened.page.locator("#figure-curves .js-line").count() >= 6
    assert opened.overflow() == 0


def test_a_control_changes_its_figure(opened):
    figure = opened.page.locator("#figure-curves")
    title = figure.locator(".ytitle")
    expect(title).to_have_text("validation loss")

    figure.get_by_role("button", name="accuracy").click()

    expect(title).to_have_text("validation accuracy")
    expect(figure.get_by_role("button", name="accuracy")).to_have_attribute("aria-pressed", "true")
    figure.get_by_role("button", name="loss, log scale").click()
    expect(title).to_have_text("validation loss")


def test_trials_are_sorted_by_a_click_and_absent_values_come_last(opened, result):
    heading = opened.page.locator(".trials thead").get_by_role("button", name="val loss")

    heading.click()
    values = opened.column("val loss")
    numbers = [float(value) for value in values if value != "–"]
    assert numbers == sorted(numbers)
    assert numbers[0] == pytest.approx(min(t.loss for t in result.trials if t.loss is not None), rel=1e-3)
    expect(opened.page.locator(".trials [aria-sort]")).to_have_attribute("aria-sort", "ascending")

    heading.click()
    values = opened.column("val loss")
    numbers = [float(value) for value in values if value != "–"]
    assert numbers == sorted(numbers, reverse=True)
    expect(opened.page.locator(".trials [aria-sort]")).to_have_attribute("aria-sort", "descending")


def test_large_seeds_have_all_their_digits_and_are_sorted(tab, result, tmp_path):
    seeds = [2**63 - 1, 2**53 + 1, 7, 2**53, 2**53 + 2]
    some = tuple(dataclasses.replace(t, seed=s) for t, s in zip(result.trials, seeds, strict=False))
    page = Opened(tab, write_page(dataclasses.replace(result, trials=some), tmp_path / "report.html"))
    assert page.column("seed") == [str(seed) for seed in seeds]
    tab.locator(".trials thead").get_by_role("button", name="seed").click()
    assert page.column("seed") == [str(seed) for seed in sorted(seeds)]


def test_a_rounded_number_has_as_many_digits_as_others(tab, result, tmp_path):
    first, *others = result.trials
    some = dataclasses.replace(result, trials=(dataclasses.replace(first, loss=9.99996), *others))
    page = Opened(tab, write_page(some, tmp_path / "report.html"))
    assert page.column("val loss")[0] == "10.00"


def test_trials_are_turned_page_by_page(opened, result):
    assert len(result.trials) == 132
    assert (opened.rows().count(), opened.count()) == (100, "1–100 of 132 trials")

    opened.page.get_by_role("button", name="Next").click()
    assert (opened.rows().count(), opened.count()) == (32, "101–132 of 132 trials")

    opened.page.get_by_role("button", name="Previous").click()
    assert opened.rows().count() == 100


def test_trials_are_filtered(opened, filters):
    filters["candidate"].select_option("lion")
    assert set(opened.column("candidate")) == {"lion"}
    filters["phase"].select_option("final")
    assert opened.rows().count() == 10

    filters["candidate"].select_option("")
    filters["phase"].select_option("")
    filters["status"].select_option("failed")
    assert opened.count() == "1–5 of 5 trials (of 132 in all)"

    filters["words"].fill("RuntimeError sgd")  # also in tracebacks, whatever the case
    assert opened.rows().count() == 1
    filters["words"].fill("no such thing")
    assert opened.count() == "0 trials"
    assert opened.rows().all_text_contents() == ["No trial matches."]


def test_a_traceback_is_shown_as_text(opened, filters):
    filters["status"].select_option("failed")
    opened.page.get_by_role("button", name="Why digits/tune/sgd/5 failed").click()

    dialog = opened.page.locator("dialog")
    expect(dialog).to_be_visible()
    assert dialog.locator("pre").text_content() == TRACEBACK
    assert dialog.locator("b, img").count() == 0
    opened.page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_copy_button_copies_the_lines(opened, result):
    button = opened.page.locator("[data-copy]").first
    button.click()
    expect(button).to_have_text("Copied")

    opened.page.evaluate("document.body.append(Object.assign(document.createElement('textarea'), {id: 'pasted'}))")
    opened.page.locator("#pasted").focus()
    opened.page.keyboard.press("Control+V")
    assert opened.page.locator("#pasted").input_value() == result.candidates[0].code
    opened.page.evaluate("document.getElementById('pasted').remove()")


def test_figures_follow_the_colour_scheme(opened):
    label = opened.page.locator("#figure-ranking .ytick text").first
    swatch = opened.page.locator(".ranking .swatch").first
    line = opened.page.locator("#figure-curves .js-line").first
    expect(label).to_have_css("fill", LIGHT)
    expect(line).to_have_css("stroke", "rgb(26, 95, 176)")

    opened.page.emulate_media(color_scheme="dark")
    expect(label).to_have_css("fill", DARK)
    expect(line).to_have_css("stroke", "rgb(61, 143, 224)")
    expect(swatch).to_have_css("background-color", "rgb(61, 143, 224)")

    opened.page.emulate_media(color_scheme="light")
    expect(label).to_have_css("fill", LIGHT)


def test_it_is_printed_light_and_goes_back_to_dark(opened):
    label = opened.page.locator("#figure-ranking .ytick text").first
    opened.page.emulate_media(color_scheme="dark")
    expect(label).to_have_css("fill", DARK)

    opened.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(label).to_have_css("fill", LIGHT)
    opened.page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(label).to_have_css("fill", DARK)
    opened.page.emulate_media(color_scheme="light")
    expect(label).to_have_css("fill", LIGHT)


def test_a_phone_scrolls_tables_and_not_the_page(opened):
    opened.page.set_viewport_size({"width": 390, "height": 844})
    expect(opened.page.locator("#figure-ranking .main-svg").first).to_have_css("width", "358px")

    assert opened.overflow() == 0
    for place in opened.page.locator(".js-plotly-plot").all():
        box = place.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    scroll = opened.page.locator("#ranking .scroll")
    assert scroll.evaluate("box => box.scrollWidth > box.clientWidth")

    opened.page.set_viewport_size({"width": 1280, "height": 900})
    expect(opened.page.locator("#figure-curves .main-svg").first).to_have_css("width", "1200px")


LONG = "sgd(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.001)"


def with_a_long_label():
    """The candidate with the long label is also the reference, whose label stands in the table's head."""
    shapes = [dataclasses.replace(shape, label=LONG) if shape.label == "sgd" else shape for shape in SHAPES]
    return comparison(tuple(shapes), reference=LONG)


def of_a_command():
    """The metric has a long name, of which more is better."""
    whole = comparison()
    metric = "validation_mean_average_precision_at_fifty"
    facts = command_facts("train", "train.py", Metric(metric, "max"), source="", rate="lr", timeout=None)
    return dataclasses.replace(whole, problem=facts)


@pytest.mark.parametrize(
    "make",
    [
        comparison,
        with_a_long_label,
        of_a_command,
        lambda: comparison(unit=1e12),
        lambda: comparison(seeds=2, broken=()),
        lambda: many_trials(16, trials=6, last=LONG),
        pruned,
    ],
    ids=["plain", "long label", "command", "giant losses", "wide intervals", "sixteen candidates", "transforms"],
)
def test_on_a_phone_the_ranking_is_seen_without_scrolling_sideways(phone, make, tmp_path):
    page = phone
    page.goto(write_page(make(), tmp_path / "report.html").as_uri())
    box = page.locator("#ranking .scroll").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert page.locator("#ranking .scroll").evaluate("box => box.scrollLeft") == 0
    rows = page.locator(".ranking tbody tr:first-child").all()
    assert len(rows) >= 4
    for row in rows:
        for column in (".rank", ".name", ".end .mean", ".end .range", ".verdict"):
            seen = row.locator(column).evaluate(_INK)
            assert box["x"] <= seen["left"] < seen["right"] <= box["x"] + box["width"], column
            assert seen["right"] - seen["left"] > (4 if column == ".rank" else 20), column
    for below in page.locator(".ranking .more div").all():  # settings and notes, which may fill it
        room = below.bounding_box()
        assert box["x"] <= room["x"] < room["x"] + room["width"] <= box["x"] + box["width"]
    heads = page.locator(".ranking thead tr:last-child th")
    for place in range(4):
        seen = heads.nth(place).evaluate(_INK)
        assert seen["right"] <= box["x"] + box["width"]
        assert seen["right"] - seen["left"] > 20  # words, and no columns of letters
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.locator(".ranking thead tr:last-child").bounding_box()["height"] < 100  # columns out of sight are wide
    expect(page.locator("#ranking .aside")).to_have_text("More columns are to the right.")
    expect(page.locator("#ranking .aside")).to_be_visible()


def test_on_a_phone_a_failed_trial_says_why_without_scrolling_sideways(phone, tmp_path):
    page = phone
    page.goto(write_page(pruned(), tmp_path / "report.html").as_uri())
    page.locator("[data-filter=status]").select_option("failed")
    box = page.locator("#trials .scroll").bounding_box()
    button = page.locator(".trials tbody button").last.bounding_box()
    assert button["x"] + button["width"] <= box["x"] + box["width"]


@pytest.mark.parametrize("make", [comparison, pruned], ids=["optimizers", "transforms"])
def test_a_wide_window_shows_the_whole_ranking(tab, make, tmp_path):
    page = tab
    page.set_viewport_size({"width": 1400, "height": 900})
    page.emulate_media(color_scheme="light")
    page.goto(write_page(make(), tmp_path / "report.html").as_uri())
    scroll = page.locator("#ranking .scroll")
    assert scroll.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    assert page.locator(".ranking thead tr:last-child").bounding_box()["height"] < 105
    expect(page.locator("#ranking .aside")).to_be_hidden()


_INK = """element => {
    const range = document.createRange();
    range.selectNodeContents(element);
    const { left, right } = range.getBoundingClientRect();
    return { left, right };
}"""
"""Where an element's text is, which may be more than its box or less."""


def test_on_a_phone_two_problems_are_seen_without_scrolling_sideways(phone, tmp_path):
    write_all(over_problems(("digits", "diabetes")), tmp_path)
    page = phone
    page.goto((tmp_path / "report.html").as_uri())
    box = page.locator("#ranking .scroll").bounding_box()
    for row in page.locator(".ranking tbody tr").all():
        for cell in row.locator(".name, .mean, .verdict, .range").all():
            seen = cell.evaluate(_INK)
            assert box["x"] <= seen["left"] < seen["right"] <= box["x"] + box["width"]


@pytest.mark.parametrize("make", [comparison, pruned], ids=["optimizers", "transforms"])
def test_the_ranking_fits_a_sheet_of_paper(tab, make, tmp_path):
    page = tab
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 without its margins
    page.emulate_media(media="print", color_scheme="light")
    page.goto(write_page(make(), tmp_path / "report.html").as_uri())
    box = page.locator(".ranking").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 688
    page.emulate_media(media="screen")


def test_what_newcomers_stumble_over_is_explained_where_it_stands_and_is_read_without_a_pointer(opened):
    table = opened.page.locator(".ranking").bounding_box()
    terms = opened.page.locator("#ranking .terms")
    assert 0 < terms.bounding_box()["y"] - (table["y"] + table["height"]) < 120
    for term in ("rank", "smallest detectable", "cost to target", "lr decades", "ms a step", "state"):
        explained = terms.locator("div").filter(has=opened.page.get_by_text(term, exact=True)).locator("dd")
        expect(explained).to_be_visible()
    assert opened.page.locator("#ranking [title], #ranking abbr").count() == 0
    opened.page.get_by_role("link", name="More on how to read it").press("Enter")
    expect(opened.page.get_by_role("heading", name="How to read it", exact=True)).to_be_in_viewport()
    opened.page.emulate_media(media="print")
    expect(terms).to_be_visible()
    opened.page.emulate_media(media="screen")


def test_the_conclusion_begins_with_what_to_do_in_the_largest_letters(opened, result):
    first = opened.page.locator(".conclusion p").first
    expect(first).to_have_text("Use adabelief or lion instead of adamw: they lower validation loss by 0.017 and 0.015.")
    sizes = [
        float(p.evaluate("p => parseFloat(getComputedStyle(p).fontSize)"))
        for p in opened.page.locator(".conclusion p").all()
    ]
    assert sizes[0] > max(sizes[1:])


@pytest.mark.parametrize("name", ["lonely", "unfinished"])
def test_what_is_nearly_empty_is_drawn_too(tab, name, request, tmp_path):
    opened = Opened(tab, write_page(request.getfixturevalue(name), tmp_path / "report.html"))

    assert opened.troubles == []
    assert opened.overflow() == 0


def test_a_refined_schedule_is_drawn_with_nothing_but_its_page(tab, tmp_path):
    run = tmp_path / "a<b>&.csv"
    run.write_text("\n".join(str(1 + 9 / (1 + step)) for step in range(200)))
    page = refinement_page(refine_run(run), tmp_path / "next.json")
    opened = Opened(tab, write_sections(page, tmp_path / "next.html"), figures=2)
    assert opened.page.locator(".js-plotly-plot").count() == 2
    assert opened.page.locator("#figure-schedules .scatterlayer .js-line").count() == 2
    assert opened.page.locator("h1 em").text_content() == "a<b>&.csv"
    assert opened.overflow() == 0
    assert opened.troubles == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_diagnosis_is_drawn_and_its_scale_changes(tab, tmp_path):
    opened = Opened(tab, write_sections(diagnosis_page(RESULT), tmp_path / "diagnosis.html"), figures=1)
    expect(opened.page.locator("h1")).to_have_text("How sharp is the way on toy?")
    assert opened.page.locator("#figure-sharpness .scatterlayer .trace").count() == 3
    drawn = opened.page.locator("#figure-sharpness .point").count()
    opened.page.get_by_role("button", name="linear").click()
    expect(opened.page.locator("#figure-sharpness .point")).to_have_count(drawn + 1)  # the one that is negative
    assert opened.overflow() == 0
    opened.page.set_viewport_size({"width": 390, "height": 844})
    opened.wait_until_it_fits()
    assert opened.troubles == []


def test_the_page_over_problems_leads_to_each_problem_and_back(tab, tmp_path):
    write_all(over_problems(("digits", "diabetes")), tmp_path)
    opened = Opened(tab, tmp_path / "report.html", figures=2)
    heading = opened.page.locator("h1")
    expect(heading).to_have_text("What helps over 2 problems?")
    assert opened.page.locator("#figure-profiles .scatterlayer .trace").count() == 6
    assert opened.overflow() == 0

    opened.page.locator(".ranking").get_by_role("link", name="diabetes").click()
    expect(heading).to_have_text("What helps on diabetes?")
    opened.page.get_by_role("link", name="All problems").click()
    expect(heading).to_have_text("What helps over 2 problems?")
    opened.page.set_viewport_size({"width": 390, "height": 844})
    opened.wait_until_it_fits()
    assert opened.troubles == []


def test_five_thousand_trials_are_drawn_without_an_element_each_and_labels_stay_text(tab, large_page):
    opened = Opened(tab, large_page)

    assert opened.rows().count() == 100
    opened.page.locator("[data-sort='4']").click()
    assert opened.rows().count() == 100
    assert opened.count() == "1–100 of 5,000 trials"
    assert opened.page.locator("#figure-curves .scatterlayer .trace").count() == 2 * 20  # a line and a band each
    assert opened.page.locator("#figure-learning-rate .scatterlayer .trace").count() <= 20 + 3  # and the key's
    opened.page.locator("[data-filter=candidate]").select_option(HOSTILE)
    assert opened.count() == "1–100 of 250 trials (of 5,000 in all)"
    assert set(opened.column("candidate")) == {HOSTILE}
    assert "onerror=alert(1)" in " ".join(opened.page.locator("#figure-ranking .ytick text").all_text_contents())
    assert opened.page.locator("b, img").count() == 0
    assert opened.troubles == []
