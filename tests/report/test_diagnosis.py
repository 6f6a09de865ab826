"""A diagnosis, drawn: the figure, the page, the terminal."""

import dataclasses
import io
import json

import pytest
from rich.console import Console

from tests.report.synthetic import HOSTILE
from tests.report.test_page import Reader, data
from trimtab.diagnose.result import DiagnosisResult, Measurement
from trimtab.report.diagnosis import (
    DiagnosisBar,
    DiagnosisPaths,
    conclusion,
    print_diagnosis,
    render_diagnosis,
    write_diagnosis,
)
from trimtab.report.figures.diagnosis import sharpness

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
    return Reader(render_diagnosis(RESULT))


def test_a_line_for_each_candidate_with_everything_on_hovering():
    figure = sharpness(RESULT)
    sgd, clip, other = figure.data
    assert (list(sgd.x), list(sgd.y)) == ([1, 1000], [-0.57, 18.3])
    assert list(other.x) == [1000]
    assert clip.text[1] == "step 1,000<br>sharpness 4.66<br>correlation -1.50<br>best decrease 0.241"
    assert other.text[0].endswith("the loss rises along it")
    assert "<b>" not in other.name
    assert len({(trace.line.color, trace.marker.symbol) for trace in figure.data}) == 3


def test_the_axis_is_logarithmic_where_most_are_positive():
    assert sharpness(RESULT).layout.yaxis.type == "log"
    assert [option["label"] for option in sharpness(RESULT).layout.meta["controls"][0]["options"]] == [
        "logarithmic", "linear",
    ]  # fmt: skip
    one = dataclasses.replace(RESULT, measurements=RESULT.measurements[:1])
    assert sharpness(one).layout.yaxis.type is None
    nothing = dataclasses.replace(RESULT, measurements=RESULT.measurements[2:3])
    assert "Nothing was measured" in sharpness(nothing).layout.annotations[0].text


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
    assert conclusion(dataclasses.replace(RESULT, measurements=(), diverged=7)) == ["Nothing was measured."]
    assert "not finite at step 1,200" in conclusion(dataclasses.replace(RESULT, diverged=1200))[-1]


def test_both_files_are_written(tmp_path):
    paths = write_diagnosis(RESULT, tmp_path / "out")
    assert paths == DiagnosisPaths(tmp_path / "out" / "diagnosis.html", tmp_path / "out" / "diagnosis.json")
    assert json.loads(paths.json.read_text())["measurements"][1]["sharpness"] == 0.25


def test_the_terminal_shows_all_numbers_within_80_columns(tmp_path):
    output = io.StringIO()
    print_diagnosis(Console(file=output, width=80), RESULT, DiagnosisPaths(tmp_path / "a.html", tmp_path / "a.json"))
    lines = output.getvalue().splitlines()
    assert max(len(line) for line in lines if str(tmp_path) not in line) <= 80
    text = " ".join(output.getvalue().split())
    assert "1 sgd -0.570 -1.50 –" in text
    assert "1,000 sgd 18.3 -2.00 0.109" in text
    assert "sgd: no positive curvature, so no best step, at step 1" in text
    assert "a.html" in text


def test_without_a_terminal_a_line_says_what_was_measured_or_that_time_passes():
    output, now = io.StringIO(), [0.0]
    with DiagnosisBar(Console(file=output), clock=lambda: now[0]) as bar:
        bar(1, 300, RESULT.measurements[:3])
        bar(2, 300, ())
        now[0] = 61.0
        bar(3, 300, ())
    assert output.getvalue().splitlines() == ["step 1/300, measured", "step 3/300"]


def test_in_a_terminal_there_is_a_bar():
    output = io.StringIO()
    with DiagnosisBar(Console(file=output, force_terminal=True, width=80, legacy_windows=False)) as bar:
        bar(150, 300, ())
    assert "150/300" in output.getvalue()
