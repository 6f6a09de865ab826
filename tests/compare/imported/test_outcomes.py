import csv
import gzip
import os
import statistics
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import trimtab
from tests import evidence
from trimtab.compare.frames import Frames
from trimtab.compare.imported.outcomes import ImportedCandidate, analyse
from trimtab.compare.pairs import compare_losses
from trimtab.report.export import to_csv, to_json
from trimtab.study.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
EVIDENCE = Path(os.environ.get("TRIMTAB_EVIDENCE", ROOT.parent / "shared" / "evidence"))
PUBLISHED = EVIDENCE / "tabular_optimizers.csv.gz"

SEEDS = (3, 4, 11, 12)
SCORES = {
    "adamw": (0.80, 0.81, 0.805, 0.807),
    "lion": (0.90, 0.912, 0.905, 0.906),
    "sgd": (0.801, 0.808, 0.809, 0.805),
}


def rows(problem="digits", scores=SCORES, **more):
    return [
        {"candidate": name, "problem": problem, "seed": seed, "score": score, **more}
        for name, values in scores.items()
        for seed, score in zip(SEEDS, values, strict=True)
    ]


def by_label(result):
    return {candidate.label: candidate for candidate in result.candidates}


def test_runs_of_others_are_told_apart_as_a_comparisons_own():
    result = analyse(rows(), direction="max")
    assert trimtab.analyse is analyse
    assert [(c.label, c.rank, c.verdict) for c in result.candidates] == [
        ("lion", 1, "helps"), ("sgd", 2, "no difference shown"), ("adamw", 2, None),
    ]  # fmt: skip
    expected = compare_losses({name: [-score for score in scores] for name, scores in SCORES.items()})
    assert [pair.p_value for pair in result.pairs] == pytest.approx([pair.p_value for pair in expected])
    assert result.conclusion[0].startswith("Use lion instead of adamw: it raises score by 0.1")
    assert by_label(result)["lion"].metric.mean == pytest.approx(0.90575)
    assert [trial.seed for trial in result.trials if trial.candidate == "sgd"] == list(SEEDS)
    assert list(result.protocol.seed_numbers) == list(SEEDS)
    assert [c.prices for c in result.candidates] == [{}, {}, {}]
    assert Frames(result).candidates()["trial_seconds"].isna().all()


def test_a_data_frame_is_a_table():
    frame = pd.DataFrame(rows())
    expected = analyse(rows(), direction="max")
    assert analyse(frame, direction="max") == expected
    assert analyse(frame.set_index(["candidate", "seed"]), direction="max").pairs == expected.pairs
    frame.loc[len(frame)] = ["lion", "digits", 99, None]
    assert analyse(frame, direction="max", where=["score!="]).pairs == expected.pairs
    with pytest.raises(InputError, match="source, row 13, column score: the cell is empty; --where 'score!='"):
        analyse(frame, direction="max")


def test_where_less_is_better_it_is_the_other_way_round():
    result = analyse(rows(), direction="min", metric_name="error", reference="lion")
    assert {c.label: c.verdict for c in result.candidates} == {"adamw": "helps", "sgd": "helps", "lion": None}
    assert result.problem.objective.name == "error"


def test_the_order_of_rows_and_seeds_does_not_matter():
    shuffled = [rows()[place] for place in np.random.default_rng(0).permutation(12)]
    one, other = analyse(rows(), direction="max"), analyse(shuffled, direction="max", reference="adamw")
    assert {c.label: c.loss for c in one.candidates} == {c.label: c.loss for c in other.candidates}
    assert sorted(p.p_value for p in one.pairs) == pytest.approx(sorted(p.p_value for p in other.pairs))


def test_columns_of_other_names_and_rows_that_do_not_count():
    table = [{"optimizer": r["candidate"], "data": r["problem"], "seed": r["seed"], "acc": r["score"]} for r in rows()]
    table.append({"optimizer": "lion", "data": "digits", "seed": 0, "acc": "nan"})
    result = analyse(table, direction="max", candidate="optimizer", problem="data", score="acc", where=["seed!=0"])
    assert by_label(result)["lion"].rank == 1
    assert result.problem.objective.name == "acc"
    ((_, source),) = result.problem.paragraphs
    assert source == (
        "Columns of source: candidate (optimizer), seed, score (acc), problem (data). More of the score is better. "
        "Rows that count: seed!=0."
    )


def test_a_candidate_that_lacks_a_run_is_not_ranked():
    result = analyse(rows()[:-1], direction="max")
    assert by_label(result)["sgd"].note == "not ranked: 3 of 4 runs are there"
    assert not result.ranked
    assert by_label(result)["lion"].verdict == "helps"


def test_one_seed_is_an_effect_and_no_verdict():
    result = analyse(rows(), direction="max", where=["seed=3"])
    assert {c.rank for c in result.candidates} == {1}
    assert {c.verdict for c in result.candidates} == {None}
    assert result.conclusion == ("Run more seeds before you choose: with one, no difference can be shown.",)
    assert by_label(result)["lion"].loss.mean == -0.9


def test_the_reference_alone():
    result = analyse(rows(), direction="max", reference="sgd", against_reference=True)
    assert {(pair.first, pair.second) for pair in result.pairs} == {("adamw", "sgd"), ("lion", "sgd")}
    assert {c.place for c in result.candidates} == {"–"}
    with pytest.raises(InputError, match=r"reference='sdg' is not among the candidates: did you mean sgd\?"):
        analyse(rows(), direction="max", reference="sdg")


def test_the_direction_must_be_said():
    with pytest.raises(InputError, match=r"^say whether more of score .*--maximize or --minimize"):
        analyse(rows())


# runs that are not matched


def unmatched(problem="digits"):
    """Runs whose seeds are nobody else's, unequally many; one candidate has a single one."""
    sizes = {"adamw": 4, "lion": 3, "sgd": 2, "once": 1}
    scores = {**SCORES, "once": (0.95,)}
    cells = [(name, score) for name, size in sizes.items() for score in scores[name][:size]]
    return [
        {"candidate": name, "problem": problem, "seed": 100 + place, "score": score}
        for place, (name, score) in enumerate(cells)
    ]


def test_candidates_are_ranked_whose_seeds_are_nobody_elses():
    result = analyse(unmatched(), direction="max", unpaired=True)
    assert [(c.label, c.rank, c.verdict, c.runs) for c in result.candidates] == [
        ("lion", 1, "helps", 3), ("adamw", 2, None, 4), ("sgd", 2, "no difference shown", 2), ("once", None, None, 1),
    ]  # fmt: skip
    assert result.protocol.unpaired
    assert by_label(result)["once"].note == "not ranked: 1 of at least 2 runs are there"
    assert by_label(result)["once"].metric.mean == 0.95
    expected = compare_losses(
        {"adamw": [-x for x in SCORES["adamw"]], "lion": [-x for x in SCORES["lion"][:3]], "sgd": [-0.801, -0.808]},
        unpaired=True,
    )
    assert [p.p_value for p in result.pairs] == pytest.approx([p.p_value for p in expected])
    assert {p.pairing for p in result.pairs} == {1.0}
    assert result.conclusion[0].startswith("Use lion instead of adamw: it raises score by 0.1")
    assert {trial.seed for trial in result.trials} == set(range(100, 110))
    paired = analyse(unmatched(), direction="max")
    assert not paired.protocol.unpaired
    assert "do not match them (--unpaired)" in paired.conclusion[-1]


def test_without_seeds_runs_are_numbered():
    table = [{key: value for key, value in each.items() if key != "seed"} for each in unmatched()]
    result = analyse(table, direction="max", unpaired=True)
    assert [trial.seed for trial in result.trials if trial.candidate == "lion"] == [0, 1, 2]
    assert [p.p_value for p in result.pairs] == [
        p.p_value for p in analyse(unmatched(), direction="max", unpaired=True).pairs
    ]
    with pytest.raises(InputError, match=r"no column 'seed'.*--seed COLUMN says which one it is, and --unpaired does"):
        analyse(table, direction="max")


def test_single_runs_are_shown_and_not_ranked():
    result = analyse(
        unmatched(),
        direction="max",
        unpaired=True,
        where=["seed!=101", "seed!=102", "seed!=103", "candidate!=lion", "seed!=108"],
    )
    assert {c.rank for c in result.candidates} == {None}
    assert result.conclusion == ("No advice: no candidate has two runs.",)
    one = analyse(unmatched(), direction="max", unpaired=True, where=["candidate!=lion", "candidate!=sgd"])
    assert one.conclusion[0] == "Keep adamw for now: no other candidate has two runs."


def test_runs_that_never_vary_are_told_apart_as_rarely_as_they_can_be_dealt():
    table = [{"candidate": name, "score": score} for name, score in (("a", 0.5), ("b", 0.25)) for _ in range(4)]
    result = analyse(table, direction="max", unpaired=True)
    assert [p.p_value for p in result.pairs] == pytest.approx([2 / 70])
    assert "coins" not in " ".join(result.conclusion)


def test_a_problem_on_which_somebody_did_not_run_does_not_count():
    one, two = with_curves("one", {"adamw": 2, "lion": 3}), with_curves("two", {"adamw": 2, "lion": 3})
    assert analyse([*one, *two[:-1]], direction="max", unpaired=True).counted == ("one", "two")
    assert analyse([*one, *two[:4]], direction="max", unpaired=True).left_out == {"two": "some of its runs are missing"}


# costs and curves


def test_without_costs_there_are_no_scores_over_problems():
    result = analyse([*rows("one"), *rows("two")], direction="max")
    assert not result.costed
    assert result.counted == ()
    assert result.conclusion[0] == "Use lion instead of adamw: it helps on both problems."
    assert "scores" not in " ".join(result.conclusion)
    assert {problem.problem.costed for problem in result.problems.values()} == {False}


def with_curves(problem, speed):
    found = rows(problem, {name: SCORES[name] for name in ("adamw", "lion")})
    for each in found:
        cost = speed[each["candidate"]]
        each["curve"] = f"0:0.1;{cost / 2}:0.4;{cost}:{each['score']};{2 * cost}:{each['score']}"
    return found


def test_curves_say_what_it_costs_to_get_where_the_reference_ends():
    one = with_curves("one", {"adamw": 3.5, "lion": 1.25})
    result = analyse([*one, *with_curves("two", {"adamw": 2, "lion": 3})], direction="max")
    costs = {name: {c.label: c.cost_to_target for c in found.candidates} for name, found in result.problems.items()}
    assert costs == {"one": {"adamw": 3.5, "lion": 1.25}, "two": {"adamw": 2, "lion": 3}}
    assert result.counted == ("one", "two")
    assert result.profiles[0].label == "lion"
    curves = Frames(result.problems["one"]).curves()
    assert curves["cost"].dtype == "float64"
    assert curves["cost"].max() == 7
    assert Frames(result.problems["two"]).trials()["cost"].dtype == "int64"


def test_a_cost_alone_is_that_of_the_end():
    found = [{**each, "hours": 2.5 if each["candidate"] == "lion" else 4} for each in rows()]
    result = analyse(found, direction="max", cost="hours")
    assert by_label(result)["lion"].cost_to_target == 2.5
    assert by_label(result)["adamw"].cost_to_target == 4
    assert (result.problem.cost.one, result.problem.cost.many) == ("hour", "hours")


def test_a_problem_that_lacks_runs_does_not_count():
    one, two = (with_curves(name, {"adamw": 2, "lion": 3}) for name in ("one", "two"))
    result = analyse([*one, *two[:-1]], direction="max")
    assert result.left_out == {"two": "some of its runs are missing"}
    assert "two does not count for the scores: some of its runs are missing." in result.conclusion


def test_what_a_comparison_wrote_can_be_read(tmp_path):
    result = analyse(with_curves("one", {"adamw": 3.5, "lion": 1.25}), direction="max", metric_name="accuracy")
    (tmp_path / "results.csv").write_text(to_csv(result), encoding="utf-8")
    again = analyse(tmp_path / "results.csv", direction="min", score="loss", where=["phase=final", "status=complete"])
    assert [p.p_value for p in again.pairs] == pytest.approx([p.p_value for p in result.pairs])
    assert again.problem.name == "results"
    assert to_json(again)


def test_a_candidate_is_its_name_alone():
    made = ImportedCandidate("adamw")
    assert (made.label, made.title, made.summary, dict(made.tunables)) == ("adamw", "adamw", "", {})
    assert (made.settings({}), made.build({}), made.code({}), made.definition()) == ({}, None, "", {})


# what was published


@pytest.fixture(scope="module")
def published():
    if not PUBLISHED.is_file():
        pytest.skip(f"there is no {PUBLISHED}")
    columns = {"candidate": "optimizer", "problem": "dataset", "score": "test_score"}
    return analyse(PUBLISHED, direction="max", **columns, where=["seed!=0"])


def test_published_runs_have_their_means(published):
    found = defaultdict(list)
    with gzip.open(PUBLISHED, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["seed"] != "0":
                found[row["dataset"].replace("/", "-"), row["optimizer"]].append(float(row["test_score"]))
    assert len(found) == 16 * 17
    assert len(published.problems) == 17
    for name, result in published.problems.items():
        assert result.ranked
        assert list(result.protocol.seed_numbers) == list(range(1, 10))
        assert len(result.pairs) == 120
        for candidate in result.candidates:
            scores = found[name, candidate.label]
            assert -candidate.loss.mean == pytest.approx(statistics.fmean(scores))
            assert candidate.final_losses == tuple(-score for score in scores)


def test_published_verdicts_are_found_again(published):
    # those are of the paired test from the same seeds, corrected alike; what is known of all spreads shows some more
    with (EVIDENCE / "tabular_verdicts.csv").open(encoding="utf-8", newline="") as file:
        told = {row["optimizer"]: row for row in csv.DictReader(file)}
    verdicts = [(each.label, each.verdict) for result in published.problems.values() for each in result.candidates]
    found = {label: [verdicts.count((label, verdict)) for verdict in ("helps", "hurts")] for label in told}
    theirs = {
        label: [int(row[f"{verdict}_holm_seeds_1_9"]) for verdict in ("helps", "hurts")] for label, row in told.items()
    }
    assert len(told) == 15
    assert all(ours >= paired - 1 for label in told for ours, paired in zip(found[label], theirs[label], strict=True))
    assert 1.5 > np.sum(list(found.values())) / np.sum(list(theirs.values())) > 1.1
    assert published.conclusion[0] == "Keep adamw, or try muon: it helps on 10 of 17 problems, and hurts on none."


@evidence.needs("speedrun_track3.csv", "speedrun_track3_claims.csv", "speedrun_track3_evidence.csv")
def test_groups_of_a_speedrun_whose_seeds_mean_nothing_are_told_apart():
    score = "loss_at_claimed_steps"
    result = analyse(
        evidence.EVIDENCE / "speedrun_track3.csv", direction="min", candidate="group", score=score,
        where=[f"{score}!="], unpaired=True,
    )  # fmt: skip
    found = by_label(result)
    groups = {}
    for row in evidence.rows("speedrun_track3_evidence.csv"):
        groups[row["result"]] = candidate = found[row["group"]]
        assert candidate.loss.mean == pytest.approx(float(row["mean_from_logs"]), abs=1e-6)
        assert candidate.runs == int(row["n_in_logs"])
        assert (candidate.rank is None) == (candidate.runs < 2)
    claims = [row for row in evidence.rows("speedrun_track3_claims.csv") if row["kind"] == "p_value"]
    assert len(claims) == 5
    for row in claims:
        new, old = groups[row["new_result"]], groups[row["old_result"]]
        (pair,) = (p for p in result.pairs if {p.first, p.second} == {new.label, old.label})
        pair = pair if pair.first == new.label else pair.turned()
        scale = np.sqrt(1 / new.runs + 1 / old.runs)
        # they take a spread as known, and a loss for each step that is saved; the groups say that it is a little less
        gained = 0.0045 * (int(row["new_steps"]) - int(row["old_steps"])) / 100
        p_value = stats.norm.sf((pair.improvement - gained) / scale / 0.0013)
        assert p_value == pytest.approx(float(row["recomputed_from_logs"]), abs=1e-4)
        error = (pair.high - pair.low) / 2 / stats.t.ppf(0.975, pair.freedom)
        assert 0.8 * 0.00112 < error / scale < 1.2 * 0.00112
        assert pair.freedom > max(new.runs, old.runs)
