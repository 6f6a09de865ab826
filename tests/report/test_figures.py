"""Figures show the numbers of the result, and nothing that is not in it."""

import dataclasses
import json
import math
import statistics

import numpy as np
import pytest

from tests.report.synthetic import BROKEN, BUDGET, HOSTILE, SHAPES, comparison, pruned
from trimtab.compare.imported.outcomes import analyse
from trimtab.lab.measures import BATCH_SIZE, LEARNING_RATE, STATE_BYTES, STEP_SECONDS
from trimtab.report import figures
from trimtab.report.figures.style import PALETTE, colour, plain, series_role, symbol
from trimtab.report.page import render_page


def trace(figure, name):
    (found,) = [t for t in figure.data if t.name == name]
    return found


def lines(figure):
    return {t.name: t for t in figure.data if t.mode == "lines+markers"}


def control(figure, label):
    (found,) = [c for c in figure.layout.meta["controls"] if c["label"] == label]
    return {option["label"]: option["patch"] for option in found["options"]}


def runs(result, label, phase="final"):
    return [t for t in result.trials if (t.candidate, t.phase) == (label, phase)]


def label_rows(figure):
    """What stands beside the rows: rank and label."""
    return [" ".join(text.replace("<br>", " ").split()) for text in figure.layout.yaxis.ticktext]


def test_ranking_shows_means_and_intervals(result):
    figure = figures.ranking(result)

    by_label = {c.label: (row, c) for row, c in enumerate(result.candidates)}
    for name, labels in (
        ("helps", ["adabelief", "lion"]),
        ("no difference shown", ["nadam"]),
        ("reference", ["adamw"]),
        ("hurts", ["sgd"]),
        ("not ranked", [BROKEN]),
    ):
        shown = trace(figure, name)
        rows, candidates = zip(*[by_label[label] for label in labels], strict=True)
        assert list(shown.y) == list(rows)
        assert list(shown.x) == [c.loss.mean for c in candidates]
        np.testing.assert_allclose(np.add(shown.x, shown.error_x.array), [c.loss.high for c in candidates])
        np.testing.assert_allclose(np.subtract(shown.x, shown.error_x.arrayminus), [c.loss.low for c in candidates])


def test_ranking_has_the_best_at_the_top_and_a_dot_a_run(result):
    figure = figures.ranking(result)

    bottom, top = figure.layout.yaxis.range
    assert bottom > top  # row 0 is the best
    assert label_rows(figure)[:2] == ["1 adabelief", "1 lion"]
    assert label_rows(figure)[-1].startswith("– radam(betas=(0.95")
    dots = trace(figure, "one seed")
    for row, candidate in enumerate(result.candidates):
        shown = [x for x, y in zip(dots.x, dots.y, strict=True) if round(y) == row]
        assert sorted(shown) == sorted(loss for loss in candidate.final_losses if loss is not None)


def test_verdicts_differ_in_shape_and_not_only_in_colour(result):
    figure = figures.ranking(result)

    shapes = [t.marker.symbol for t in figure.data if t.name != "one seed"]
    assert len(shapes) == len(set(shapes)) == 5


def test_differences_are_paired_by_seed(result):
    figure = figures.differences(result)

    helps, hurts = trace(figure, "helps"), trace(figure, "hurts")
    assert list(helps.x) == [c.against_reference.improvement for c in result.candidates if c.verdict == "helps"]
    assert min(helps.x) > 0 > max(hurts.x)
    dots = trace(figure, "one seed")
    for row, candidate in enumerate(result.candidates):
        shown = [x for x, y in zip(dots.x, dots.y, strict=True) if round(y) == row]
        if candidate.against_reference is None:
            assert shown == []
        else:
            assert statistics.mean(shown) == pytest.approx(candidate.against_reference.improvement)


def test_the_axis_of_differences_has_room_for_its_words_on_a_phone(result):
    meta = figures.differences(result).layout.meta
    titles = [meta[view]["layout"]["xaxis.title.text"] for view in ("page", "narrow")]
    assert titles == ["lower val loss than adamw, seed by seed", "lower val loss than adamw, seed by<br>seed"]
    heights = [meta["narrow"]["layout"]["height"] for meta in (meta, figures.ranking(result).layout.meta)]
    assert heights[0] == heights[1] + 17 + 18  # one line more below, and the words at both sides above


def test_differences_show_what_is_too_small_to_find(result):
    bars = trace(figures.differences(result), "often missed")

    pairs = [c.against_reference for c in result.candidates if c.against_reference is not None]
    assert list(bars.base) == [-pair.simultaneous_detectable for pair in pairs]
    assert list(bars.x) == [2 * pair.simultaneous_detectable for pair in pairs]


def test_rows_without_a_mark_say_why(result):
    words = {a.y: a.text for a in figures.differences(result).layout.annotations if a.yref == "y"}

    assert words == {3: "the reference", 5: "no test"}


def test_a_candidate_far_out_can_be_cut_off():
    result = comparison((*SHAPES[:5], dataclasses.replace(SHAPES[5], loss=40.0)), broken=())

    for draw in (figures.ranking, figures.differences):
        options = control(draw(result), "Range")
        low, high = options["close-up, 1 outside"]["layout"]["xaxis.range"]
        assert high - low < 1
    assert figures.ranking(comparison()).layout.meta["controls"] == []


def test_a_close_up_of_rows_that_ended_alike_is_not_offered():
    ends = {"a": (0.5, 0), "b": (0.5, 0), "c": (0.5, 0), "d": (5.0, 0.1)}
    rows = [
        {"candidate": label, "seed": seed, "score": end + seed * step}
        for label, (end, step) in ends.items()
        for seed in range(4)
    ]
    found = analyse(rows, direction="min")
    for draw in (figures.ranking, figures.differences):
        assert draw(found).layout.meta["controls"] == []


def test_curves_are_means_over_final_runs_within_their_range(result):
    figure = figures.learning_curves(result)

    line = lines(figure)["adabelief"]
    losses = np.array([[point.loss for point in run.curve] for run in runs(result, "adabelief")])
    assert list(line.x) == [step * BUDGET // 20 for step in range(21)]
    np.testing.assert_allclose(line.y, losses.mean(axis=0))
    band = next(t for t in figure.data if t.fill == "toself" and t.legendgroup == line.legendgroup)
    np.testing.assert_allclose(band.y[:21], losses.max(axis=0))
    np.testing.assert_allclose(band.y[21:], losses.min(axis=0)[::-1])
    assert (figure.layout.yaxis.type, figure.layout.hovermode) == ("log", "x")


def test_curves_leave_out_runs_that_did_not_finish_and_say_so(result):
    names = [name.replace("<br>", " ") for name in lines(figures.learning_curves(result))]

    assert names[-1] == "radam(betas=(0.95, 0.999), weight_decay=0.01) (7 of 10 runs)"


def test_curves_can_show_the_metric_instead(result):
    figure = figures.learning_curves(result)

    options = control(figure, "Shows")
    assert list(options) == ["val loss, log scale", "val loss", "val accuracy"]
    values = options["val accuracy"]["data"]["y"]
    assert len(values) == len(figure.data)
    metrics = [run.curve[-1].metric for run in runs(result, "adabelief")]
    assert values[1][-1] == pytest.approx(statistics.mean(metrics))


def test_curves_of_runs_evaluated_at_different_costs_are_interpolated(lonely):
    run = next(t for t in lonely.trials if t.phase == "final")
    points = [
        dataclasses.replace(run.curve[0], cost=cost, loss=loss) for cost, loss in ((0, 4.0), (10, 2.0), (20, 1.0))
    ]
    sparse = dataclasses.replace(run, seed=1001, key="other", curve=(points[0], points[2]))
    dense = dataclasses.replace(run, curve=tuple(points))

    figure = figures.learning_curves(dataclasses.replace(lonely, trials=(dense, sparse)))

    line = lines(figure)["adamw"]
    assert (list(line.x), list(line.y)) == ([0, 10, 20], [4.0, (2.0 + 2.5) / 2, 1.0])


def test_losses_below_zero_are_not_drawn_on_a_logarithmic_axis(lonely):
    trials = tuple(
        dataclasses.replace(t, curve=tuple(dataclasses.replace(p, loss=p.loss - 1) for p in t.curve))
        for t in lonely.trials
    )

    figure = figures.learning_curves(dataclasses.replace(lonely, trials=trials))

    assert figure.layout.yaxis.type is None
    assert list(control(figure, "Shows")) == ["val loss", "val accuracy"]


def test_learning_rates_show_every_tuning_trial(result):
    figure = figures.learning_rate(result)

    shown = trace(figure, "adabelief")
    trials = sorted(runs(result, "adabelief", "tune"), key=lambda t: t.settings["lr"])
    assert list(shown.x) == [t.settings["lr"] for t in trials]
    top = max(shown.y)
    assert max(t.loss for t in result.trials if t.phase == "tune" and t.loss is not None) < top
    assert math.log10(top) < figure.layout.yaxis.range[1]
    assert list(shown.y) == pytest.approx([top if t.loss is None else t.loss for t in trials])
    diverged = [t.status == "diverged" for t in trials]
    assert [mark == "x" for mark in shown.marker.symbol] == diverged
    assert any(diverged)
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    assert top < control(figure, "Loss")["linear"]["layout"]["yaxis.range"][1] < 1.1 * top


def test_a_trial_far_worse_than_its_start_does_not_press_the_others_flat(result):
    trials = tuple(dataclasses.replace(t, loss=1e9) if t.key == "digits/tune/lion/0" else t for t in result.trials)

    figure = figures.learning_rate(dataclasses.replace(result, trials=trials))

    assert max(trace(figure, "lion").y) == pytest.approx(1.15 * 2.31)  # the loss that runs start from is 2.31
    assert list(trace(figure, "lion").marker.symbol).count("arrow-up") == 1
    assert trace(figure, "off the scale").x == (None,)


def test_trials_that_were_given_up_are_hollow(result):
    trials = tuple(
        dataclasses.replace(t, loss=None, status="pruned") if t.key == "digits/tune/lion/0" else t
        for t in result.trials
    )

    figure = figures.learning_rate(dataclasses.replace(result, trials=trials))

    whole, hollow = [each for each in figure.data if each.name == "lion"]
    assert not any(mark.endswith("-open") for mark in whole.marker.symbol)
    assert whole.mode == "lines+markers"
    assert hollow.y == (next(t for t in trials if t.status == "pruned").curve[-1].loss,)
    assert (hollow.marker.symbol, hollow.mode, hollow.showlegend) == (("square-open",), "markers", False)
    assert whole.legendgroup == hollow.legendgroup
    assert trace(figure, "pruned, where it stood then").x == (None,)


def test_cost_has_the_prices_of_each_candidate(result):
    figure = figures.cost(result)

    adamw = next(c for c in result.candidates if c.label == "adamw")
    shown = trace(figure, "adamw")
    assert (shown.x, shown.y) == ((1000 * adamw.prices[STEP_SECONDS],), (adamw.loss.mean,))
    assert shown.y[0] + shown.error_y.array[0] == pytest.approx(adamw.loss.high)
    options = control(figure, "Price")
    place = [t.name for t in figure.data].index("adamw")
    assert list(options) == ["time", "memory", "cost to target"]
    assert options["memory"]["data"]["x"][place] == [adamw.prices[STATE_BYTES]]
    assert options["cost to target"]["data"]["x"][place] == [adamw.cost_to_target]
    (hollow,) = [t for t in figure.data if t.name.endswith("(not ranked)")]
    assert hollow.marker.symbol.endswith("-open")


def test_a_candidate_has_one_colour_and_shape_in_all_figures(result):
    curve = lines(figures.learning_curves(result))["nadam"]
    rate = trace(figures.learning_rate(result), "nadam")
    price = trace(figures.cost(result), "nadam")

    assert {curve.line.color, rate.marker.color, price.marker.color} == {colour(series_role(2))}
    assert {curve.marker.symbol, price.marker.symbol, rate.marker.symbol[0]} == {symbol(2)}


@pytest.mark.parametrize("name", figures.FIGURES)
@pytest.mark.parametrize("fixture", ["result", "lonely", "unfinished"])
def test_figures_are_strict_json_without_a_number_that_is_not_finite(name, fixture, request):
    text = figures.FIGURES[name](request.getfixturevalue(fixture)).to_json()

    def reject(constant):
        raise AssertionError(constant)

    json.loads(text, parse_constant=reject)


@pytest.mark.parametrize("draw", figures.FIGURES.values())
def test_figures_have_a_few_traces_a_candidate_however_many_trials_there_are(draw, large):
    assert len(large.trials) == 5000
    assert len(draw(large).data) <= 2 * len(large.candidates) + 4


@pytest.mark.parametrize("name", ["curves", "learning-rate", "cost"])
def test_a_figure_is_as_high_as_its_legend_needs(name, result, large):
    few, many = figures.FIGURES[name](result), figures.FIGURES[name](large)

    for view in ("page", "narrow"):
        little, much = few.layout.meta[view]["layout"], many.layout.meta[view]["layout"]
        assert much["legend.maxheight"] > little["legend.maxheight"]
        assert much["height"] - much["legend.maxheight"] >= 340
    assert few.layout.meta["page"]["layout"]["height"] == few.layout.height


@pytest.mark.parametrize("draw", figures.FIGURES.values())
def test_figures_of_a_study_that_has_just_begun_say_so(draw, unfinished):
    figure = draw(unfinished)

    assert len(figure.data) == 0
    (note,) = figure.layout.annotations
    assert note.text


def test_one_seed_is_drawn_without_an_interval(lonely):
    shown = trace(figures.ranking(lonely), "reference")

    (loss,) = lonely.candidates[0].final_losses
    assert (shown.x, shown.error_x.array, shown.error_x.arrayminus) == ((loss,), (0,), (0,))
    assert math.isclose(sum(figures.ranking(lonely).layout.xaxis.range) / 2, loss)


def test_labels_are_text_and_not_markup():
    assert plain("<b>&</b>", 60) == "&lt;b&gt;&amp;&lt;/b&gt;"
    result = comparison((SHAPES[3], dataclasses.replace(SHAPES[0], label=HOSTILE)), broken=())

    for draw in figures.FIGURES.values():
        text = draw(result).to_json()
        assert "<img" not in text
        assert "\\u003cimg" not in text.lower()


def test_long_labels_are_wrapped_where_calls_may_be():
    assert (
        plain("radam(betas=(0.95, 0.999), weight_decay=0.01)", 19)
        == "radam(betas=(0.95,<br>0.999),<br>weight_decay=0.01)"
    )
    assert plain("mine.py:my_pruning", 15) == "mine.py:my_<br>pruning"
    assert plain("my_prune.py:two_rounds(first=0.8)", 15) == "my_prune.py:<br>two_rounds(<br>first=0.8)"
    assert plain("x" * 25, 10) == "<br>".join(["x" * 10, "x" * 10, "x" * 5])
    assert plain("", 10) == ""


@pytest.mark.parametrize("draw", [figures.FIGURES["ranking"], figures.FIGURES["differences"]])
def test_a_rank_stands_on_the_first_line_of_its_label(draw, result):
    figure = draw(result)
    narrow = figure.layout.meta["narrow"]
    for texts in (figure.layout.yaxis.ticktext, narrow["layout"]["yaxis.ticktext"]):
        ranks = [text.partition("   ") for text in texts]
        assert [rank for rank, _, _ in ranks] == ["1", "1", "3", "3", "5", "–"]
        assert all(label and not label.startswith("<br>") for _, _, label in ranks)


def test_colours_can_be_told_apart_from_the_page_and_exchanged():
    def luminance(text):
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    def contrast(one, other):
        dark, light = sorted([luminance(one), luminance(other)])
        return (light + 0.05) / (dark + 0.05)

    assert len({light for light, _ in PALETTE.values()}) == len(PALETTE)  # the page finds the role by the colour
    for role, (light, dark) in PALETTE.items():
        if role == "grid":
            continue
        least = 4.5 if role in ("ink", "muted", "helps", "hurts") else 2.4 if role == "unranked" else 3
        assert contrast(light, "#ffffff") >= least, role
        assert contrast(dark, "#12171b") >= least, role


def paced(result):
    """The comparison, in which the final runs of one candidate changed their pace."""
    course = {
        LEARNING_RATE: ((0, 0.1), (640, 0.01), (1280, 0.0)),
        BATCH_SIZE: ((0, 32), (640, 64), (1280, 64)),
    }
    trials = tuple(
        dataclasses.replace(t, traces=course) if (t.candidate, t.phase) == ("lion", "final") else t
        for t in result.trials
    )
    return dataclasses.replace(result, trials=trials)


def test_the_pace_is_drawn_where_it_changed(result):
    assert "traces" not in figures.figures_of(result)
    figure = figures.figures_of(paced(result))["traces"]
    assert len(figure.data) == len(runs(result, "lion"))
    assert {t.name for t in figure.data} == {"lion"}
    assert sum(t.showlegend is not False for t in figure.data) == 1
    shown = control(figure, "Shows")
    assert list(figure.data[0].x) == [0, 640, 1280]
    assert shown["learning rate"]["data"]["y"][0] == [0.1, 0.01, None]
    assert shown["batch size"]["data"]["y"][0] == [32, 64, 64]
    assert [patch["layout"]["yaxis.title.text"] for patch in shown.values()] == ["learning rate", "samples a batch"]


def test_a_page_shows_the_pace_where_there_is_one(result):
    assert "What was set on the way" not in render_page(result)
    assert "What was set on the way" in render_page(paced(result))


def test_what_quality_costs_opens_on_a_price_in_which_candidates_differ(result):
    whole = pruned()
    drawn = figures.cost(whole)
    assert drawn.layout.xaxis.title.text == "seconds a run"
    assert [trace.x[0] for trace in drawn.data] == pytest.approx([7.88, 8.88, 9.88, 10.88])
    options = drawn.layout.meta["controls"][0]["options"]
    assert [option["label"] for option in options][:2] == ["time", "size"]
    assert figures.cost(result).layout.xaxis.title.text == "milliseconds a step"
