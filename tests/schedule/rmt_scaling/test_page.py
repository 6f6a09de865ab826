"""What a reader is told about another batch size: sentences, table, figure, JSON."""

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from tests.report.test_page import Reader
from trimtab.report.sections import print_sections, render_sections
from trimtab.schedule.rmt_scaling.noise_model import MarchenkoPastur, Wigner
from trimtab.schedule.rmt_scaling.page import cautions, conclusion, largest_rates, scaling_page, to_json
from trimtab.schedule.rmt_scaling.scaling_advice import Law, ScalingAdvice

SIZES = tuple(2**k for k in range(11))


def law(name, matrix, model):
    largest = tuple(model.extremal(size) for size in SIZES)
    rates = tuple(2 / value for value in largest)
    return Law(name, matrix, model.eigenvalue, model.knee, largest, rates, 4)


@pytest.fixture
def advice():
    first = law("Marchenko-Pastur", "ggn", MarchenkoPastur(10.0, 0.4, 1000.0, 1024))
    return ScalingAdvice(
        task="<digits>", samples=1024, parameters=1000, optimizer="sgd", from_batch=16, to_batch=512, steps=0, seed=0,
        curvature_batch=1024, batch_sizes=SIZES, laws=(first, law("Wigner", "hessian", Wigner(10.0, 30.0, 1024))),
        noise=30.0, smallest=0.1, lowest=-2.0, regime="both", factor=3.0, lr=0.15, given_lr=0.05,
        largest_lr=(0.06, 0.19), momentum=0.67, damping=0.094,
    )  # fmt: skip


def test_the_page_says_it_all_and_loads_nothing(advice):
    page = Reader(render_sections(scaling_page(advice)))
    assert "multiply the learning rate by 3.00: from 0.05 to 0.15" in page.words
    assert "<digits>" in page.words
    for tag, attributes in page.elements:
        assert attributes.get("href", "#").startswith("#"), tag
        assert not {"src", "srcset", "action"} & set(attributes), tag
    assert all(sentence in page.words for sentence in (*conclusion(advice), *cautions(advice)))


def test_the_figure_shows_laws_knee_and_sizes(advice):
    figure = largest_rates(advice)
    names = [line.name for line in figure.lines]
    assert names == [
        "Marchenko-Pastur, Gauss-Newton matrix", "Wigner, Hessian", "in proportion to the batch", "knee: 38 samples",
        "from and to",
    ]  # fmt: skip
    assert list(figure.lines[0].y) == list(advice.laws[0].rates)
    assert list(figure.lines[4].x) == [16, 512]
    low, high = figure.y.ends
    assert low < min(advice.laws[0].rates) < max(advice.laws[0].rates) < high
    start, end = figure.lines[2].y
    assert end / start == pytest.approx(figure.lines[2].x[1] / figure.lines[2].x[0])


def test_a_knee_outside_of_the_data_is_not_drawn(advice):
    shown = replace(advice, laws=(replace(advice.laws[0], knee=0.3), advice.laws[1]), to_batch=16)
    figure = largest_rates(shown)
    assert not any("knee" in line.name for line in figure.lines)
    assert list(figure.lines[-1].x) == [16]


@pytest.mark.parametrize(("change", "words"), [
    ({"regime": "noise"}, "Both batches are below the knee of 38 samples"),
    ({"regime": "curvature"}, "Both batches are above the knee of 38 samples"),
    ({}, "The knee of 38 samples lies between the two"),
    ({"optimizer": "adamw", "momentum": None}, "Heavy-ball momentum is not for this optimizer"),
    ({"given_lr": None}, "start at 0.15 with momentum 0.670"),
    ({"given_lr": None, "lr": None, "optimizer": "adamw", "momentum": None}, "multiply the learning rate by 3.00."),
])  # fmt: skip
def test_what_is_said(advice, change, words):
    assert words in " ".join(conclusion(replace(advice, **change)))


def test_what_is_cautioned(advice):
    usual = " ".join(cautions(advice))
    assert "--steps 100" in usual
    assert "is above" not in usual
    assert "stands out of the noise of both batches" in usual
    assert "The rate of 0.2 is above 0.06" in " ".join(cautions(replace(advice, given_lr=0.2)))
    assert "after 100 steps" in " ".join(cautions(replace(advice, steps=100)))
    assert "square root is a sketch" in " ".join(cautions(replace(advice, optimizer="adamw", momentum=None)))
    lost = replace(advice, laws=(advice.laws[0], replace(advice.laws[1], outlier_from=None)))
    assert "is lost in the noise of the smaller batch" in " ".join(cautions(lost))


def test_the_json_is_strict_and_has_the_sentences(advice):
    values = json.loads(to_json(advice), parse_constant=pytest.fail)
    assert (values["schema"], values["factor"], values["laws"][0]["name"]) == (
        "trimtab.scaling",
        3.0,
        "Marchenko-Pastur",
    )
    assert values["conclusion"] == conclusion(advice)
    with pytest.raises(ValueError, match="JSON"):
        to_json(replace(advice, noise=math.nan))


def test_the_terminal_has_the_numbers_and_the_paths(advice, tmp_path):
    output = io.StringIO()
    paths = {"page": tmp_path / "scaling.html"}
    print_sections(Console(file=output, width=80), scaling_page(advice), paths)
    text = " ".join(output.getvalue().split())
    assert "batch 16 batch 512" in text
    assert "learning rate 0.05 0.15" in text
    assert all(" ".join(sentence.split()) in text for sentence in (*conclusion(advice), *cautions(advice)))
    assert "scaling.html" in text
    assert max(map(len, output.getvalue().splitlines()[:12])) <= 80
