"""The page as a file: self-contained, escaped, complete."""

import base64
import dataclasses
import hashlib
import html.parser
import itertools
import json
import re
from importlib import resources

import pytest
from plotly.offline import get_plotlyjs_version

from tests.report.synthetic import BROKEN, HOSTILE, SHAPES, TRACEBACK, comparison
from trimtab.lab.commands.problem import command_facts
from trimtab.lab.measures import BATCH_SIZE, LEARNING_RATE, MEASURED, TEST_METRIC
from trimtab.report import words, write_all
from trimtab.report.document import breakable, embed_json, plotly_js
from trimtab.report.figures import FIGURES
from trimtab.report.page import render_page
from trimtab.study.facts import Facts
from trimtab.study.metric import Metric

PUBLISHED = "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba"
"""SHA-256 of ``plotly-basic.min.js`` in the package ``plotly.js-basic-dist-min`` 4.1.1."""


class Reader(html.parser.HTMLParser):
    """Collects elements and the text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.scripts = [], [], []
        self._inside = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._inside = tag if tag in ("script", "style") else self._inside
        if tag == "script":
            self.scripts.append((dict(attributes), ""))

    def handle_endtag(self, tag):
        self._inside = None if tag == self._inside else self._inside

    def handle_data(self, data):
        if self._inside == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif self._inside is None:
            self.text.append(data)

    @property
    def words(self):
        return " ".join("".join(self.text).split())


@pytest.fixture(scope="module")
def page(result):
    return Reader(render_page(result))


def data(page, name):
    (text,) = [text for attributes, text in page.scripts if attributes.get("id") == name]
    return json.loads(text)


def test_nothing_is_loaded(page):
    loading = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}
    for tag, attributes in page.elements:
        assert not loading & set(attributes), tag
        assert attributes.get("href", "#").startswith("#"), tag
    assert not [tag for tag, _ in page.elements if tag in ("link", "iframe", "object", "embed", "base")]


def test_the_style_loads_nothing(result):
    style = re.search(r"<style>(.*?)</style>", render_page(result), re.DOTALL)[1]

    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_admits_the_scripts_of_the_page_and_no_others(page):
    (policy,) = [a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a]

    assert policy.startswith("default-src 'none';")
    digests = set(re.findall(r"'sha256-([^']+)'", policy))
    scripts = [text for attributes, text in page.scripts if attributes.get("type") != "application/json"]
    assert len(scripts) == 4
    assert {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts} == digests


def test_the_ranking_table_has_the_numbers(page, result):
    for candidate in result.candidates:
        assert candidate.label in page.words
        assert f"{candidate.loss.mean:.4f} {candidate.loss.low:.4f} – {candidate.loss.high:.4f}" in page.words
        assert f"{candidate.measures[TEST_METRIC].mean:.5f}" in page.words
    pair = result.candidates[0].against_reference
    assert f"helps +{pair.improvement:.4f} +{pair.simultaneous_low:.4f} to +{pair.simultaneous_high:.4f}" in page.words
    assert f"{pair.simultaneous_detectable:.4f}" in page.words
    assert "not ranked: 3 of 10 final runs failed" in page.words
    assert "2.14 MB" in page.words
    assert "10,240 10 of 10 runs" in page.words


def test_the_heads_say_what_ranks_and_what_does_not(page):
    assert "Ranked by Against adamw Not ranked by Price" in page.words
    assert "rank candidate validation loss 95 % interval verdict val loss is lower by smallest detectable" in page.words
    assert (
        "validation accuracy 95 % interval test accuracy 95 % interval cost to target sample-gradients lr decades "
        "powers of ten ms a step state memory"
    ) in page.words


@pytest.mark.parametrize("rate", ["lr", None])
@pytest.mark.parametrize("of_commands", [False, True])
def test_every_row_of_the_ranking_has_as_many_cells_as_the_head(result, of_commands, rate):
    problem = dataclasses.replace(result.problem, rate=rate)
    if of_commands:
        problem = command_facts("train", "train.py", Metric("acc", "max"), source="", rate=rate, timeout=None)
    page = render_page(dataclasses.replace(result, problem=problem))
    rows = re.findall(r"<tr.*?</tr>", page[page.index('<table class="ranking">') : page.index("</table>")], re.DOTALL)
    widths = [
        sum(
            int(dict(re.findall(r'(colspan)="(\d+)"', cell)).get("colspan", 1))
            for cell in re.findall("<t[hd].*?>", row)
        )
        for row in rows
    ]
    assert len(rows) == 2 + 2 * len(result.candidates)
    assert set(widths) == {(6 if of_commands else 8) + (2 if of_commands else 3) + (rate is not None)}


def test_everything_is_said(page, result):
    for sentence in result.conclusion:
        assert sentence in page.words
    for heading in ("Ranking", "Lines to paste", "All trials", "Protocol", "How to read it", "Environment"):
        assert heading in page.words
    for term, text in (*words.columns(result), *words.glossary(result)):
        assert f"{term}: {text}" in page.words or f"{term} {text}" in page.words
    for name, value in result.environment.items():
        assert re.search(rf"{name}\s*{value}", page.words)
    for candidate in result.candidates:
        assert " ".join(candidate.code.split()) in page.words
    assert "to three digits: with these a run ends near what is reported, not at it" in page.words


def test_the_best_code_is_open_and_the_others_are_folded(page):
    assert len([a for tag, a in page.elements if tag == "details" and a.get("id") != "pairs"]) == 5
    assert len([a for tag, a in page.elements if tag == "button" and "data-copy" in a]) == 6
    assert page.words.index("AdaBelief(model.parameters()") < page.words.index("Lion(model.parameters()")


def test_every_figure_has_its_place_its_data_and_a_description(page):
    places = [a for tag, a in page.elements if "data-figure" in a]
    drawn = data(page, "figures-data")["figures"]

    assert [a["data-figure"] for a in places] == list(FIGURES) == list(drawn)
    assert all(a["role"] == "img" and len(a["aria-label"]) > 40 for a in places)
    assert all(figure["data"] for figure in drawn.values())


def test_headings_are_in_order_and_columns_have_a_scope(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]

    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")


def test_the_trials_are_all_there(page, result):
    table = data(page, "trials-data")

    assert len(table["rows"]) == len(result.trials)
    assert TRACEBACK in table["errors"]


def hostile(facts):
    """The same, with markup in the place of every word that a problem brings."""
    values = facts.to_dict()

    def replaced(value, key=""):
        if isinstance(value, dict):
            return {name: replaced(each, name) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [replaced(each) for each in value]
        kept = key in ("direction", "form", "over", "rate") or value in KNOWN or value == ""
        return HOSTILE if isinstance(value, str) and not kept else value

    return Facts.from_dict(replaced(values))


KNOWN = {*MEASURED, LEARNING_RATE, BATCH_SIZE}
"""Names under which outcomes have what they measured."""


def test_text_from_elsewhere_stays_text():
    shapes = (SHAPES[3], dataclasses.replace(SHAPES[0], label=HOSTILE, title=HOSTILE))
    result = comparison(shapes, broken=())
    result = dataclasses.replace(
        result,
        problem=hostile(result.problem),
        environment={HOSTILE: HOSTILE},
        conclusion=(HOSTILE,),
        target=HOSTILE,
    )

    page = Reader(render_page(result))

    assert not [tag for tag, _ in page.elements if tag in ("b", "img")]
    assert len(page.scripts) == 6
    assert HOSTILE in "".join(page.text)
    assert data(page, "trials-data")["rows"][-1][2] == HOSTILE


def test_embedded_json_cannot_end_its_element():
    text = str(embed_json({"a": "</script><!--&"}))

    assert not set("<>&") & set(text)
    assert json.loads(text) == {"a": "</script><!--&"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        embed_json({"a": float("nan")})


def test_long_calls_may_break():
    assert breakable("sgd(lr=1, b_c=<i>)") == "sgd(<wbr>lr=1,<wbr> b_<wbr>c=&lt;i&gt;)"


@pytest.mark.parametrize("name", ["lonely", "unfinished"])
def test_pages_of_what_is_nearly_empty(name, request):
    result = request.getfixturevalue(name)

    page = Reader(render_page(result))

    assert "None" not in page.words
    assert "nan" not in page.words.split()
    assert result.conclusion[0] in page.words


def test_a_page_with_five_thousand_trials_is_less_than_four_megabytes(large_page):
    assert large_page.stat().st_size < 4e6


def test_a_page_with_a_few_trials_is_hardly_more_than_plotly(result):
    assert len(render_page(result)) - len(plotly_js()) < 3e5


def test_the_plotly_of_the_page_is_the_one_that_figures_are_made_for():
    js = plotly_js()

    assert hashlib.sha256(js.encode()).hexdigest() == PUBLISHED
    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}" in js[:200]
    assert "MIT License" in resources.files("trimtab.report").joinpath("plotly", "LICENSE.txt").read_text()


@pytest.mark.parametrize("fixture", ["result", "large"])
def test_figures_are_made_of_what_plotly_was_bundled_with(fixture, request):
    kinds = {trace.type for draw in FIGURES.values() for trace in draw(request.getfixturevalue(fixture)).data}

    assert kinds <= {"scatter", "bar"}


def test_all_files_are_written_together(result, tmp_path):
    paths = write_all(result, tmp_path / "out")

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"report.html", "results.json", "results.csv"}
    assert paths.page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert BROKEN in paths.csv.read_text(encoding="utf-8")
