"""What a reader is told of a diagnosis: sentences, table, figure."""

import dataclasses
import io

import pytest
from rich.console import Console

from tests.report.synthetic import HOSTILE
from tests.report.test_page import Reader, data
from trimtab.diagnose.page import conclusion, diagnosis_page, sharpness
from trimtab.diagnose.result import DiagnosisResult, Measurement
from trimtab.report.sections import print_sections, render_sections

RESULT = DiagnosisResult(
    task="toy",
    reference="toy.py:Toy",
    along="adamw",
    candidates=("sgd", "clip(sgd)", HOSTILE),
    settings={"adamw": {"lr": 0.0031623, "weight_decay": 0.01}, "sgd": {}, "clip(sgd)": {}, HOSTILE: {"lr": 0.5}},
    seed=3,
    steps=1000,
    batches=8,
    batch_size=16,
    diverged=None,
    measurements=(
        Measurement("sgd", 1, -0.57, -1.5, None, "no positive curvature, so no best step"),
        Measurement("clip(sgd)", 1, 0.25, -0.5, 0.5),
        Measurement(HOSTILE, 1, None, None, None, "its direction is zero"),
        Measurement("sgd", 1000, 18.3, -2.0, 0.109),
        Measurement("clip(sgd)", 1000, 4.66, -1.5, 0.241),
        Measurement(HOSTILE, 1000, 2.16, 0.25, None, "the loss rises along it"),
    ),
    environment={"trimtab": "0.1.0", "torch": "2.13"},
)


@pytest.fixture(scope="module")
def page():
    return Reader(render_sections(diagnosis_page(RESULT)))


def test_a_line_for_each_candidate_with_everything_on_hovering():
    sgd, clip, other = sharpness(RESULT).lines
    assert (sgd.x, sgd.y) == ((1, 1000), (-0.57, 18.3))
    assert other.x == (1000,)
    assert clip.hover[1] == "step 1,000\nsharpness 4.66\ncorrelation -1.50\nbest decrease 0.241"
    assert other.hover[0].endswith("\nthe loss rises along it")
    assert [line.colour for line in (sgd, clip, other)] == [0, 1, 2]


def test_the_axis_is_logarithmic_where_most_are_positive():
    assert sharpness(RESULT).y.logarithmic
    assert sharpness(RESULT).or_linear
    one = dataclasses.replace(RESULT, measurements=RESULT.measurements[:1])
    assert not sharpness(one).y.logarithmic
    assert not sharpness(one).or_linear
    nothing = sharpness(dataclasses.replace(RESULT, measurements=RESULT.measurements[2:3]))
    assert (nothing.lines, nothing.empty) == ((), "Nothing was measured.")


def test_the_page_has_all_numbers_and_says_what_is_missing(page):
    for words in ("−", "None", "nan"):
        assert words not in page.words.replace("none", "")
    for words in (
        "1 sgd -0.570 -1.50 – no positive curvature, so no best step",
        "1,000 clip(sgd) 4.66 -1.50 0.241",
        "its direction is zero",
        "arXiv:2306.00204",
        "lr = 0.00316, weight_decay = 0.01",
        "8 × 16 samples",
        "on a linear axis only",
        *conclusion(RESULT)[:1],
    ):
        assert words in page.words, words


def test_the_page_loads_nothing_and_text_stays_text(page):
    assert not [tag for tag, a in page.elements if "src" in a or tag in ("link", "iframe", "object", "embed", "base")]
    assert all(a.get("href", "#").startswith("#") for _, a in page.elements)
    assert not [tag for tag, _ in page.elements if tag in ("b", "img")]
    assert len(page.scripts) == 3
    (place,) = [a for _, a in page.elements if "data-figure" in a]
    assert list(data(page, "figures-data")["figures"]) == [place["data-figure"]] == ["sharpness"]
    places = {a["id"] for _, a in page.elements if "id" in a}
    assert {a["href"][1:] for _, a in page.elements if "href" in a} <= places


def test_the_order_at_the_last_step_is_said_and_where_it_ended():
    order = f"{HOSTILE} (2.16), clip(sgd) (4.66), sgd (18.3)"
    assert conclusion(RESULT) == [f"At step 1,000, from the least sharp to the sharpest direction: {order}."]
    assert conclusion(dataclasses.replace(RESULT, measurements=(), diverged=7)) == [
        "Nothing was measured: the loss was not finite at step 7."
    ]
    assert conclusion(dataclasses.replace(RESULT, measurements=())) == ["Nothing was measured."]
    assert "not finite at step 1,200" in conclusion(dataclasses.replace(RESULT, diverged=1200))[-1]


def test_the_terminal_shows_all_numbers_within_80_columns(tmp_path):
    output = io.StringIO()
    print_sections(Console(file=output, width=80), diagnosis_page(RESULT), {"page:": tmp_path / "a.html"})
    lines = output.getvalue().splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    text = " ".join(output.getvalue().split())
    assert "1 sgd -0.570 -1.50 –" in text
    assert "step candidate sharpness correlation best decrease 1" in text
    assert f"clip(sgd) 0.250 -0.500 0.500 {HOSTILE[:9]}" in text  # a step is named once
    assert "1,000 sgd 18.3 -2.00 0.109" in text
    assert "sgd: no positive curvature, so no best step, at step 1" in text
    assert "a.html" in text
