"""Comparing transforms, from the first trial to the report."""

import itertools
from pathlib import Path

import pytest
import torch

from trimtab import Comparison
from trimtab.compare.pricing import known_prices
from trimtab.compare.stored import load_any
from trimtab.lab.measures import PREPARATION_SECONDS
from trimtab.report.page import render_page
from trimtab.study.errors import InputError
from trimtab.study.stored_study import read_store

OWN = Path(__file__).parents[1] / "lab" / "transforms" / "own.py"
CANDIDATES = f"uniform,lamp,{OWN}:halve"


def comparison(out, *, sparsities=(0.5, 0.9), candidates=CANDIDATES, **more):
    problems = [f"{OWN}:Problem(sparsity={sparsity})" for sparsity in sparsities]
    return Comparison(problems, candidates, out, **{"trials": 2, "seeds": 3, "jobs": 2, "steps": 5, **more})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    return out, comparison(out).run()


def test_each_target_is_a_problem_and_the_problem_s_rate_is_tuned(done):
    _, result = done
    assert list(result.problems) == ["small-pruned(sparsity=0.5)", "small-pruned(sparsity=0.9)"]
    for sparsity, task in zip((0.5, 0.9), result.problems.values(), strict=True):
        assert [trial.status for trial in task.trials] == ["complete"] * 15
        assert all(candidate.rank is not None for candidate in task.candidates)
        assert all(trial.settings.keys() == {"finetune_lr"} for trial in task.trials)
        assert len({trial.settings["finetune_lr"] for trial in task.trials if trial.phase == "tune"}) == 2
        assert all(trial.measures["sparsity"] >= sparsity for trial in task.trials)
        assert all(trial.cost == 50 for trial in task.trials)
        assert all(("test loss" in trial.measures) == (trial.phase == "final") for trial in task.trials)


def test_with_one_seed_all_begin_with_the_same_network(done):
    _, result = done
    for trial in result.problems["small-pruned(sparsity=0.5)"].trials:
        others = [each for each in result.problems["small-pruned(sparsity=0.5)"].trials if each.seed == trial.seed]
        assert len({each.measures[PREPARATION_SECONDS] for each in others}) == 1


def test_it_can_be_read_again_without_running_anything(done):
    out, result = done
    again = load_any(out)
    assert (
        again.problems["small-pruned(sparsity=0.9)"].candidates
        == result.problems["small-pruned(sparsity=0.9)"].candidates
    )
    assert again.problems["small-pruned(sparsity=0.9)"].trials == result.problems["small-pruned(sparsity=0.9)"].trials


def test_more_seeds_go_on_with_what_is_there(done):
    out, result = done
    keys = {trial.key for task in result.problems.values() for trial in task.trials}
    more = comparison(out, seeds=4).run()
    assert len({trial.key for task in more.problems.values() for trial in task.trials} - keys) == 6
    before = {trial.key: trial for task in result.problems.values() for trial in task.trials}
    assert all(before[t.key] == t for task in more.problems.values() for t in task.trials if t.key in before)


def test_the_report_has_the_problem_s_words_and_figure(done):
    _, result = done
    page = render_page(result.problems["small-pruned(sparsity=0.9)"])
    for words in (
        "Before and after", 'data-figure="scatter-1"', "loss before fine-tuning", "finetune_lr decades", "stored",
        "At least 90\xa0% of the 144 weights", "How much the learning rate of fine-tuning matters", "seconds a run",
        "validation loss before fine-tuning",
    ):  # fmt: skip
        assert words in page, words


def test_lines_to_paste_name_all_that_was_found_and_run(done):
    """Fine-tuning's optimizer, its rate and steps, and the target, without which the rest says little."""
    _, result = done
    for sparsity, found in zip((0.5, 0.9), result.problems.values(), strict=True):
        for candidate in found.candidates:
            rate = f"{candidate.settings['finetune_lr']:.3g}"
            assert f"torch.optim.AdamW(trained, lr={rate})" in candidate.code
            assert f"target = {sparsity}  # sparsity: the share of the weights" in candidate.code
            assert "finetune.left, finetune.trained = 5, []  # steps that are left" in candidate.code
            assert "# calibration: " in candidate.code
        code = next(each.code for each in found.candidates if each.label == "lamp")
        assert code.startswith("import torch\nfrom trimtab.compress import LampPruning\n\n# model: ")
        model, seen = torch.nn.Sequential(torch.nn.Linear(4, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2)), []

        def loss_of(model, batch, seen=seen):
            seen.append(model.training)
            return model(batch).square().mean()

        names = {"model": model, "calibration": [], "batches": itertools.repeat(torch.ones(3, 4)), "loss_of": loss_of}
        exec(code, names)
        zeros = sum(int((layer.weight == 0).sum()) for layer in (names["smaller"][0], names["smaller"][2]))
        assert zeros == 180 * sparsity
        assert seen == [True] * 5
        assert not names["smaller"].training


def test_a_missed_target_is_said_before_anything_is_kept(tmp_path):
    with pytest.raises(
        InputError, match=r"Untouched cannot run on small-pruned\(sparsity=0\.5\): .*the target was missed"
    ):
        comparison(tmp_path, sparsities=(0.5,), candidates=f"uniform,{OWN}:Untouched").run()
    assert read_store(tmp_path).outcomes == {}


def test_a_setting_that_problem_and_candidate_share_is_refused(tmp_path):
    with pytest.raises(InputError, match="clashing has a setting 'finetune_lr', and so has small-pruned"):
        comparison(tmp_path, candidates=f"uniform,{OWN}:clashing")


def test_optimizers_do_not_fit(tmp_path):
    with pytest.raises(InputError, match="lion is an optimizer; here fits lamp, magnitude or uniform"):
        comparison(tmp_path, candidates="lion")
    with pytest.raises(InputError, match=r"digits by optimizers and .*small-pruned.* by transforms cannot be compared"):
        Comparison(["digits", f"{OWN}:Problem"], None, tmp_path)


def test_what_is_prepared_is_in_the_price_of_final_runs_alone(done):
    out, _ = done
    part = comparison(out).parts["small-pruned(sparsity=0.5)"]
    outcomes = read_store(out).outcomes
    tuned = [outcome for key, outcome in outcomes.items() if key.startswith("small-pruned(sparsity=0.5)/tune/")]
    made = {outcome.measures[PREPARATION_SECONDS] for outcome in tuned}
    assert len(made) == 1
    for price in known_prices(part, outcomes):
        assert price.final - price.trial == pytest.approx(made.copy().pop() / 3)
