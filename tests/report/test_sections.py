"""A page that comes as data, in a browser's terms and in a terminal: every kind of part, and text that stays text."""

import dataclasses
import html
import io
import math

import pytest
from rich.console import Console

from tests.report.synthetic import HOSTILE
from tests.report.test_page import Reader, data
from trimtab.report.figures.lines import lines
from trimtab.report.figures.style import colour, symbol
from trimtab.report.sections import print_sections, render_sections, write_sections
from trimtab.study.pages import Axis, Code, Column, Figure, Line, Marked, Page, Paragraphs, Row, Section, Table, Terms


def hostile(place):
    """Text that would be markup, and says where it stands."""
    return f"{place} {HOSTILE}"


FIGURE = Figure(
    "a-figure",
    heading=hostile("figure"),
    caption=hostile("caption"),
    description=hostile("description"),
    x=Axis(hostile("x"), logarithmic=True, whole=True),
    y=Axis(hostile("y"), logarithmic=True, ends=(0.01, 100)),
    lines=(
        Line(hostile("first"), (1, 10, 1000), (0.5, None, 50.0), 0, hover=hostile("at {x}, 5 %{y}")),
        Line("second", (1, 1000), (-1.0, 2.0), 1, marks="both", hover=(hostile("word"), "two\nlines")),
        Line("third", (5, 5), (0.02, 99), "ink", dash="dash"),
        Line("empty", (1,), (None,), 2),
    ),
    or_linear=True,
)
TABLE = Table(
    (
        Column("step", sparse=True),
        Column(hostile("column"), text=True, brief="name"),
        Column("value", strong=True),
        Column("note", text=True, brief=""),
    ),
    (
        Row(("1", hostile("row"), "0.5", hostile("cell")), series=9),
        Row(("1", "plain", "0.25", "")),
        Row(("2", "plain", "0.125", "")),
    ),
    names=1,
)
PAGE = Page(
    title=hostile("title"),
    brand=hostile("brand"),
    heading=("What of ", Marked(hostile("heading")), "?"),
    conclusion=(hostile("conclusion"), "Then 5 % of it."),
    facts=((hostile("fact"), hostile("value")),),
    sections=(
        Section("figures", hostile("section"), hostile("Short"), (FIGURE,)),
        Section("numbers", "All numbers", "Numbers", (TABLE,)),
        Section("use", "Use", "Use", (Code(hostile("code")),)),
        Section(
            "method",
            "Method",
            "Method",
            (
                Paragraphs(
                    (
                        hostile("paragraph"),
                        (Marked(hostile("lead"), "strong"), " in ", Marked(hostile("file"), "code")),
                    ),
                    hostile("over paragraphs"),
                ),
            ),
            (Terms(((hostile("term"), hostile("meaning")),), hostile("over terms")),),
        ),
    ),
    data_file=hostile("data"),
    holds="what it holds",
    warnings=(hostile("warning"),),
    cautions=("caution",),
)


@pytest.fixture(scope="module")
def text():
    return render_sections(PAGE)


@pytest.fixture(scope="module")
def page(text):
    return Reader(text)


@pytest.mark.parametrize("place", [
    "title", "brand", "heading", "conclusion", "fact", "value", "section", "Short", "figure", "caption", "column",
    "row", "cell", "code", "paragraph", "lead", "file", "over paragraphs", "term", "meaning", "over terms", "data",
])  # fmt: skip
def test_every_text_is_there_and_stays_text(page, place):
    assert hostile(place) in page.words


def test_no_text_became_an_element_and_nothing_is_loaded(page):
    assert not [tag for tag, _ in page.elements if tag in ("b", "img")]
    assert not [tag for tag, a in page.elements if "src" in a or tag in ("link", "iframe", "object", "embed", "base")]
    assert len(page.scripts) == 3
    (plot,) = [a for _, a in page.elements if "data-figure" in a]
    assert (plot["data-figure"], plot["aria-label"]) == ("a-figure", hostile("description"))
    assert list(data(page, "figures-data")["figures"]) == ["a-figure"]


def test_links_lead_to_sections_and_whoever_skips_comes_to_the_numbers(page):
    links = [a["href"] for tag, a in page.elements if tag == "a"]
    assert links == ["#numbers", "#figures", "#numbers", "#use", "#method"]
    assert {link[1:] for link in links} <= {a["id"] for _, a in page.elements if "id" in a}
    assert "Skip to the numbers" in page.words
    first = Reader(render_sections(dataclasses.replace(PAGE, sections=PAGE.sections[2:])))
    assert next(a["href"] for tag, a in first.elements if tag == "a") == "#use"


def test_marked_words_stand_out_where_they_are(text):
    escaped = {place: html.escape(hostile(place)) for place in ("heading", "lead", "file")}
    assert f"<h1>What of <em>{escaped['heading']}</em>?</h1>" in text
    assert f"<p><strong>{escaped['lead']}</strong> in <code>{escaped['file']}</code></p>" in text
    assert "<p>Then 5\N{NO-BREAK SPACE}% of it.</p>" in text


def test_a_table_has_heads_of_rows_swatches_and_what_matters_most(page, text):
    kinds = [(tag, a.get("scope"), a.get("class")) for tag, a in page.elements if tag in ("th", "td")]
    assert kinds[:4] == [("th", "col", None), ("th", "col", "text"), ("th", "col", None), ("th", "col", "text")]
    assert kinds[4:8] == [("td", None, None), ("th", "row", "text"), ("td", None, None), ("td", None, "text")]
    assert [a["style"] for _, a in page.elements if a.get("class") == "swatch"] == ["background: var(--series-2)"]
    assert '<td><span class="mean">0.25</span></td>' in text


def test_how_many_figures_need_scripts_is_said(page):
    assert "The figure needs JavaScript" in page.words
    two = (FIGURE, dataclasses.replace(FIGURE, name="another"))
    section = dataclasses.replace(PAGE.sections[0], parts=two)
    both = Reader(render_sections(dataclasses.replace(PAGE, sections=(section,))))
    assert "Figures need JavaScript" in both.words
    assert list(data(both, "figures-data")["figures"]) == ["a-figure", "another"]


def test_a_figure_has_its_lines_in_their_colours():
    figure = lines(FIGURE)
    first, second, third = figure.data
    assert (list(first.x), list(first.y)) == ([1, 10, 1000], [0.5, None, 50.0])
    assert [trace.mode for trace in figure.data] == ["lines", "lines+markers", "lines"]
    assert [trace.line.color for trace in figure.data] == [colour("series-1"), colour("series-2"), colour("ink")]
    assert (second.marker.symbol, third.line.dash, third.hoverinfo) == (symbol(1), "dash", "skip")
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert list(figure.layout.yaxis.range) == [-2, 2]
    labels = [option["label"] for option in figure.layout.meta["controls"][0]["options"]]
    assert labels == ["logarithmic", "linear"]


def test_texts_of_a_figure_are_no_markup_and_only_its_own_places_are_filled_in():
    first, second, _ = lines(FIGURE).data
    assert first.hovertemplate == f"at %{{x:,}}, 5 &#37;%{{y:.4g}} {html.escape(HOSTILE, quote=False)}"
    assert second.text[1] == "two<br>lines"
    for words in (first.name, second.text[0], lines(FIGURE).layout.xaxis.title.text):
        assert not [tag for tag, _ in Reader(words).elements if tag != "br"]
        assert "&lt;b&gt;" in words.replace("<br>", "")


def test_a_place_alone_has_room_around_it_and_nothing_is_said_in_words():
    one = dataclasses.replace(FIGURE, lines=(Line("one", (4,), (1.0,), 0, marks="points"),), or_linear=False)
    figure = lines(one)
    assert (figure.layout.xaxis.type, list(figure.layout.xaxis.range)) == ("linear", [2, 6])
    assert figure.layout.meta["controls"] == []
    nothing = lines(dataclasses.replace(FIGURE, lines=FIGURE.lines[3:], empty=hostile("nothing")))
    assert len(nothing.data) == 0
    assert nothing.layout.annotations[0].text.startswith("nothing ")
    assert "<b>" not in nothing.layout.annotations[0].text


def test_linear_axes_begin_at_zero_where_they_count():
    figure = lines(
        dataclasses.replace(FIGURE, x=Axis("step", whole=True), y=Axis("loss", ends=(0, 1)), or_linear=False)
    )
    assert figure.layout.xaxis.rangemode == "tozero"
    assert (figure.layout.yaxis.type, list(figure.layout.yaxis.range)) == (None, [0, 1])
    assert figure.layout.yaxis.rangemode is None


def test_what_is_not_finite_is_a_gap():
    wrong = dataclasses.replace(FIGURE, lines=(Line("wrong", (1, 2), (math.inf, 1.0), 0),))
    section = dataclasses.replace(PAGE.sections[0], parts=(wrong,))
    made = Reader(render_sections(dataclasses.replace(PAGE, sections=(section,))))
    assert data(made, "figures-data")["figures"]["a-figure"]["data"][0]["y"] == [None, 1.0]


def test_the_terminal_shows_tables_sentences_code_and_files_in_80_columns(tmp_path):
    output = io.StringIO()
    print_sections(Console(file=output, width=80), PAGE, {"page": tmp_path / "a.html", "numbers": tmp_path / "a.json"})
    blocks = output.getvalue().split("\n\n")
    assert max(len(line) for block in blocks[:3] for line in block.splitlines()) <= 80
    words = [" ".join(block.split()) for block in blocks]
    assert words[0].startswith("step name value 1 row")
    assert words[0].endswith(f"plain 0.25 2 plain 0.125 {hostile('warning')}")  # a step is said once
    assert words[1:4] == [f"{hostile('conclusion')} Then 5 % of it.", "caution", hostile("code")]
    assert f"page     {tmp_path / 'a.html'}" in blocks[4].splitlines()  # however long it is
    assert words[4] == f"page {tmp_path / 'a.html'} numbers {tmp_path / 'a.json'}"


def test_it_is_written_where_it_is_to_be(tmp_path, text):
    path = write_sections(PAGE, tmp_path / "new" / "a.html")
    assert path.read_text(encoding="utf-8") == text
