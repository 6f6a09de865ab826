"""The figure of many verdicts."""

import pytest

from trimtab.report.figures.verdict_grid import FAR, Column, verdict_grid

BASE = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02]
NOISE = [0.001, -0.001, 0.002, -0.002, 0.001, -0.001]


def ends(by):
    """Losses that are lower than the reference's by so much."""
    return [base - by + noise for base, noise in zip(BASE, NOISE, strict=True)]


def column(name="digits", group="constant", **losses):
    return Column(name, group, {"adamw": BASE, **losses}, "adamw")


def marks(figure, name):
    (trace,) = [trace for trace in figure.data if trace.name == name]
    return trace


def test_effects_are_in_standard_deviations_between_seeds_and_roles_are_verdicts():
    found = column(lion=ends(0.5), sgd=ends(-0.5), adan=ends(0.0), came=[None, *ends(0.5)[1:]])
    assert found.effect("lion") == pytest.approx(0.5 / found.spread, rel=1e-2)
    assert [found.role(label) for label in ("adamw", "lion", "sgd", "adan", "came", "muon")] == [
        "reference", "helps", "hurts", "same", "unranked", "not run",
    ]  # fmt: skip
    assert found.effect("came") is None
    assert found.effect("adamw") is None


def test_a_larger_effect_is_a_larger_mark_up_to_where_all_are_alike():
    known = column(lion=ends(0.05), adan=ends(1.0), came=ends(2.0))
    drawn = marks(verdict_grid([known], ["lion", "adan", "came"]), "helps")
    assert list(drawn.y) == ["came", "adan", "lion"]
    assert min(known.effect("adan"), known.effect("came")) > FAR > known.effect("lion")
    assert drawn.marker.size[0] == drawn.marker.size[1] > drawn.marker.size[2]
    assert [data[2] for data in drawn.customdata] == [
        f"{known.effect(label):+.2f}" for label in ("came", "adan", "lion")
    ]


def test_the_first_row_is_at_the_top():
    figure = verdict_grid([column(lion=ends(0.5), came=[None, *BASE[1:]])], ["lion", "came"])
    assert list(figure.layout.yaxis.categoryarray) == ["came", "lion"]
    assert marks(figure, "not ranked").customdata[0][2] == "not ranked"


def test_groups_have_their_names_over_them_and_a_line_between_them():
    columns = [column(name, group, lion=ends(0.5)) for name, group in (("a", "g"), ("b", "g"), ("c", "h"))]
    figure = verdict_grid(columns, ["lion"])
    assert [(note.text, note.x) for note in figure.layout.annotations] == [("<b>g</b>", 0.5), ("<b>h</b>", 2.0)]
    assert [line.x0 for line in figure.layout.shapes] == [1.5]


def test_what_has_no_verdict_is_not_drawn():
    figure = verdict_grid([column(sgd=ends(0.5))], ["adamw", "lion"])
    assert not any(trace.x for trace in figure.data)
