"""Comparisons of samplers on black boxes from beginning to end: nothing is tuned, evaluations are counted."""

import re
import signal
import subprocess
import sys
import time

import pytest

from tests.catalog.own_samplers import SOURCE
from trimtab import Comparison
from trimtab.compare import fitting, measuring
from trimtab.compare.budget import FEWEST_SEEDS
from trimtab.lab.blackbox.problem import SUGGESTION
from trimtab.report.page import render_page
from trimtab.report.words import facts, protocol, trials
from trimtab.study.errors import InputError, StudyMismatchError


def comparison(out, problems="branin", candidates="random,tpe", **more):
    return Comparison(problems, candidates, out, **{"seeds": 3, "steps": 6, **more})


class Recorder:
    def __init__(self):
        self.keys = []

    def planned(self, points, outcomes): ...

    def started(self, point): ...

    def reported(self, point, cost, loss): ...

    def finished(self, point, outcome):
        self.keys.append(point.key)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    (out / "mine.py").write_text(SOURCE)
    return out, comparison(out, candidates=f"random,tpe(n_startup_trials=2),{out}/mine.py:Mine").run()


def test_nothing_is_tuned_and_evaluations_are_counted(finished):
    _, result = finished
    assert {(trial.phase, trial.seed) for trial in result.trials} == {("final", seed) for seed in (1000, 1001, 1002)}
    assert {(trial.cost, trial.status) for trial in result.trials} == {(6, "complete")}
    assert all(trial.settings == {} and set(trial.measures) >= {SUGGESTION} for trial in result.trials)
    assert result.protocol.trials == 0
    assert result.reference == "random"


def test_ones_own_draws_as_the_sampler_that_it_derives_from(finished):
    _, result = finished
    random, _, mine = sorted(result.candidates, key=lambda c: (c.label != "random", c.label.startswith("/")))
    assert mine.final_losses == random.final_losses
    assert "from mine import Mine" in mine.code
    assert (mine.title, random.title) == ("Mine", "Random search")


def test_the_report_has_the_words_of_evaluations(finished):
    _, result = finished
    assert facts(result) == [
        ("candidates", "3"),
        ("seeds", "3"),
        ("evaluations a run", "6"),
        ("settings to find", "2"),
        ("ranked by", "log10 regret, lower is better"),
        ("not ranked by", "regret, lower is better"),
        ("reference", "random"),
    ]
    told = dict(protocol(result))
    assert told["Runs"] == (
        "Nothing was tuned: each of 3 candidates ran with 3 seeds (seeds 1000 to 1002, the same for all), each run of "
        "6 evaluations."
    )
    assert "Cost to target counts evaluations until this is seen: regret <= 0.05" in told["Target"]
    assert trials(result) == "Every run of every candidate, on 3 seeds."
    page = re.sub(r"<script.*?</script>|<style.*?</style>", "", render_page(result), flags=re.DOTALL)
    assert "ms a suggestion" in page
    for wrong in ("learning rate", "best settings found", "sample-gradient", "Phase ", "fresh seeds", "tuning"):
        assert wrong not in page


def test_again_runs_nothing_and_more_seeds_and_samplers_extend_it(tmp_path):
    first = comparison(tmp_path, seeds=1).run()
    recorder = Recorder()
    comparison(tmp_path, seeds=1).run(recorder)
    assert recorder.keys == []
    more = comparison(tmp_path, candidates="random,tpe,cmaes", seeds=2).run(recorder)
    assert len(recorder.keys) == 1 + 1 + 2
    losses = {c.label: c.final_losses[0] for c in first.candidates}
    assert all(c.final_losses[0] == losses[c.label] for c in more.candidates if c.label in losses)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trials": 4}, "trials=4: nothing is tuned on branin; settings in brackets make another candidate"),
        ({"pruner": "median"}, "pruner='median': nothing is tuned on branin"),
        ({"tune": ["width=1..2"]}, "tune=['width=1..2']: nothing is tuned on branin"),
        ({"candidates": "lion"}, "lion is an optimizer; here fits bnn, bo, botorch, cmaes, gp, pfn, qmc, random"),
        (
            {"problems": ["branin", "digits"]},
            "branin by samplers and digits by optimizers cannot be compared in one go",
        ),
        ({"problems": "branin(noise=-1)"}, "noise=-1: a standard deviation is >= 0"),
        ({"budget": "1m", "seeds": 3}, "budget=1m has nothing to choose beside --seeds 3: leave it out, or --budget"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, more, message):
    with pytest.raises(InputError, match=re.escape(message)):
        comparison(tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def test_an_optimizers_problem_names_what_fits_in_a_sentence(tmp_path):
    usual = "sgd, adamw, nadam, radam, lion, adabelief or another that `trimtab list --slot optimizer` shows"
    with pytest.raises(InputError, match=re.escape(f"tpe is a sampler; here fits {usual}")):
        Comparison("digits", "tpe", tmp_path)


def test_a_budget_chooses_seeds(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "MEASURED_SECONDS", 0.01)
    monkeypatch.setattr(fitting, "MOST_SEEDS", 4)
    numbers = []
    made = comparison(tmp_path, seeds=None, budget="30s", steps=2)
    result = made.run(planned=numbers.append)
    assert numbers[0].trials == 0
    assert result.protocol.seeds == numbers[0].seeds >= FEWEST_SEEDS
    assert len(result.trials) == 2 * numbers[0].seeds
    with pytest.raises(StudyMismatchError, match=r"\(seeds: \d+ there, .*\)\. Go on with --seeds \d+, or with more"):
        comparison(tmp_path, seeds=None, budget="3m", steps=2).run()


def test_an_edited_file_of_ones_own_is_another_sampler(tmp_path):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(SOURCE)
    first = comparison(out, candidates=f"random,{file}:Mine", seeds=1).run()
    file.write_text(SOURCE + "# edited\n")
    with pytest.raises(StudyMismatchError, match=re.escape(f"{file}:Mine: {file}:Mine has changed since")):
        comparison(out, candidates=f"random,{file}:Mine", seeds=1).run()
    file.write_text(SOURCE)
    assert comparison(out, candidates=f"random,{file}:Mine", seeds=1).run().candidates == first.candidates


SLOW = """
import time
from pathlib import Path
from optuna.distributions import FloatDistribution
from trimtab import BlackBox, Metric

HERE = Path(__file__).parent


class Slow(BlackBox):
    name = "slow"
    metric = Metric("height", "min")
    space = {"x": FloatDistribution(-1, 1)}

    def evaluate(self, params, generator):
        log = HERE / "log"
        while log.exists() and len(log.read_text().splitlines()) >= 22 and (HERE / "wait").exists():
            time.sleep(0.02)
        with log.open("a") as file:
            file.write("evaluated\\n")
        return params["x"] ** 2 + generator.normal()

    def true_value(self, params, split):
        return params["x"] ** 2
"""


def test_killed_and_started_again_it_goes_on(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "wait").touch()
    reference, log = f"{tmp_path}/slow.py:Slow", tmp_path / "log"
    call = f"Comparison({reference!r}, 'random,tpe', {str(tmp_path / 'out')!r}, seeds=4, steps=5, jobs=2).run()"
    program = f"from trimtab import Comparison\nif __name__ == '__main__':\n    {call}\n"
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (log.exists() and len(log.read_text().splitlines()) >= 22):
        time.sleep(0.05)
    time.sleep(0.5)  # what has ended is written down
    process.send_signal(signal.SIGKILL)
    process.wait()
    (tmp_path / "wait").unlink()
    recorder = Recorder()
    result = Comparison(reference, "random,tpe", tmp_path / "out", seeds=4, steps=5, jobs=2).run(recorder)
    assert 0 < len(recorder.keys) < 8
    whole = Comparison(reference, "random,tpe", tmp_path / "other", seeds=4, steps=5).run()
    assert [c.final_losses for c in result.candidates] == [c.final_losses for c in whole.candidates]


def test_tpe_is_the_reference_where_it_takes_part(tmp_path):
    assert comparison(tmp_path, candidates="random,tpe").reference == "tpe"
    assert comparison(tmp_path, candidates="random,gp").reference == "random"
