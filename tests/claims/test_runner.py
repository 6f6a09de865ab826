"""Verifying, from beginning to end, on claims whose truth is known."""

import json
import os
import signal
import subprocess
import sys

import pytest

from trimtab.claims.analysis import judge
from trimtab.claims.claim import Statement
from trimtab.claims.result import ClaimResult
from trimtab.claims.runner import NotJudged, verify
from trimtab.study.errors import InputError, StudyMismatchError
from trimtab.study.stored_study import read_store


class Recorder:
    def __init__(self):
        self.finished_keys = []

    def __call__(self, claim):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def planned(self, points, outcomes): ...

    def started(self, point): ...

    def reported(self, point, cost, loss): ...

    def finished(self, point, outcome):
        self.finished_keys.append(point.key)


def run(out, **more):
    (result,) = verify(["toy"], out, jobs=2, **more)
    assert isinstance(result, ClaimResult)
    return result


@pytest.fixture(scope="module")
def confirmed(tmp_path_factory):
    out = tmp_path_factory.mktemp("confirmed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trimtab.claims.loading.CLAIMS", {"toy": "tests.claims.toy:CONFIRMED"})
        return out, run(out)


def test_a_true_effect_is_confirmed_with_numbers_of_fresh_seeds(confirmed):
    _, result = confirmed
    assert result.verdict == "confirmed"
    (finding,) = result.findings
    assert finding.seeds == 6
    assert finding.low > 0.01
    assert finding.p_value < 0.01
    tuned, slow = result.arms
    assert tuned.seeds == slow.seeds == tuple(range(1000, 1006))
    means = [sum(arm.values["test loss"]) / 6 for arm in (slow, tuned)]
    assert finding.mean == pytest.approx(means[0] - means[1], rel=1e-6)
    assert result.trials == len(tuned.tried) * 2 + 6 + 6
    assert result.processor_seconds > 0
    assert tuned.probed == {"steps seen": (10.0,) * 6}
    assert [cost for cost, _ in tuned.curve] == [0, 32, 56, 80]


def test_the_grid_is_extended_for_the_arm_whose_best_rate_is_at_its_end(confirmed):
    _, result = confirmed
    tuned, slow = result.arms
    rates = [tried.settings["lr"] for tried in tuned.tried]
    assert rates[:3] == [0.001, 0.003, 0.01]
    assert rates[3:] == pytest.approx([0.01 * (10 / 3) ** k for k in range(1, len(rates) - 2)], rel=1e-3)
    losses = {tried.settings["lr"]: tried.loss for tried in tuned.tried}
    assert tuned.settings["lr"] == min(losses, key=losses.get) < max(rates)
    assert tuned.at_edge == ()
    assert slow.tried == ()
    assert result.notes == ()


def test_the_result_is_written_and_read_back(confirmed):
    out, result = confirmed
    text = (out / "toy.json").read_text()
    assert ClaimResult.from_json(text) == result
    assert json.loads(text)["environment"]["torch"]


def test_again_runs_nothing_and_writes_the_same(confirmed, register):
    out, result = confirmed
    register("CONFIRMED")
    recorder = Recorder()
    before = (out / "toy.json").read_text()
    assert run(out, watch=recorder) == result
    assert recorder.finished_keys == []
    assert (out / "toy.json").read_text() == before


def test_a_false_statement_refutes_the_claim(register, tmp_path):
    register("REFUTED")
    result = run(tmp_path)
    assert [finding.verdict for finding in result.findings] == ["confirmed", "refuted"]
    assert result.verdict == "refuted"


def test_no_difference_is_inconclusive(register, tmp_path):
    register("INCONCLUSIVE")
    result = run(tmp_path)
    assert result.verdict == "inconclusive"
    assert result.findings[0].mean == 0


def test_settings_may_be_words(register, tmp_path):
    register("WORDS")
    result = run(tmp_path)
    assert {tried.settings["momentum"] for tried in result.arms[0].tried} == {"no", "much"}
    assert result.arms[0].at_edge == ()


def test_an_arm_that_diverges_is_compared_with_nothing(register, tmp_path):
    register("DIVERGING")
    result = run(tmp_path)
    assert result.verdict == "inconclusive"
    assert result.findings[0].mean is None
    assert result.notes == ("slow: 6 of 6 final runs diverged, so that nothing is compared with it",)


def test_an_arm_may_be_of_any_problem_that_goes_in_steps(register, tmp_path):
    register("GUESSES")
    result = run(tmp_path)
    tuned, far = result.arms
    assert (result.verdict, tuned.settings) == ("confirmed", {"guess": 0.4})
    factors = [1 + seed % 7 / 100 for seed in tuned.seeds]
    assert tuned.values["test loss"] == pytest.approx([0.5 - 0.4 * each for each in factors])
    assert far.values["test loss"] == pytest.approx([0.5 - 0.1 * each for each in factors])
    # what a run measures of its own is kept; what all runs do only where the claim asks for it
    assert tuned.probed == {"guesses": (6.0,) * 6, "state bytes": (8.0,) * 6}
    assert [cost for cost, _ in tuned.curve] == [0, 2, 4, 6]
    assert (result.findings[1].measure, result.findings[1].mean) == ("state bytes", 0.0)


def test_arms_may_bring_their_own_trials(register, tmp_path):
    register("OWN")
    result = run(tmp_path)
    wide, narrow = result.arms
    assert (result.verdict, result.trials) == ("confirmed", 3 * 2 + 6 + 6)
    assert {tried.settings["width"]: tried.loss for tried in wide.tried} == {1.0: 1.0, 2.0: 0.0, 3.0: None}
    assert (wide.settings, wide.diverged, wide.failed) == ({"width": 2.0}, 2, 0)
    assert narrow.tried == narrow.curve == ()
    heights = [1 + seed % 7 / 100 for seed in narrow.seeds]
    assert narrow.probed == {"height": pytest.approx(heights)}
    assert wide.probed == {"height": pytest.approx([2 * each for each in heights])}
    assert result.findings[0].mean == pytest.approx(sum(heights) / 6)
    assert result.notes == ()  # that there is no loss does not mean that a run diverged
    assert ClaimResult.from_json((tmp_path / "toy.json").read_text()) == result


def test_a_run_that_diverged_first_does_not_take_the_measures_of_others_along(register, tmp_path):
    register("LOST")
    result = run(tmp_path)
    assert result.arms[1].probed["height"] == (None, *(pytest.approx(1 + seed % 7 / 100) for seed in range(1001, 1006)))
    assert result.findings[0].mean is None
    assert result.notes == ("narrow: 1 of 6 final runs diverged, so that nothing is compared with it",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("FAILING", "RuntimeError: deliberate"),
        ("UNTUNABLE", "no setting of its grid finished"),
        ("UNMEASURED", "narrow: a final run did not measure 'height', which is compared"),
    ],
)
def test_a_claim_that_cannot_be_judged_says_why(name, reason, register, tmp_path):
    register(name)
    (told,) = verify(["toy"], tmp_path, jobs=1)
    assert isinstance(told, NotJudged)
    assert reason in told.reason
    assert not (tmp_path / "toy.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["lio"]}, "no claim for 'lio'; did you mean lion"),
        ({"names": []}, "no claim was named"),
        ({"jobs": 0}, "jobs=0"),
        ({"scale": "big"}, "scale='big' must be small or full"),
        ({"names": ["lion"], "scale": "full"}, "Missing here: ImageNet"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(arguments, message, tmp_path):
    with pytest.raises(InputError, match=message):
        verify(**{"out": tmp_path / "out", **arguments})
    assert not (tmp_path / "out").exists()


def test_a_claim_whose_method_needs_what_is_not_installed_says_so_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "botorch", None)
    (told,) = verify(["bnn"], tmp_path, jobs=1)
    assert told == NotJudged("bnn", "bnn needs botorch: pip install 'trimtab[search]'")
    assert not list(tmp_path.iterdir())


def test_trials_of_another_protocol_are_refused(register, tmp_path, monkeypatch):
    register("INCONCLUSIVE")
    run(tmp_path)
    monkeypatch.setattr("trimtab.claims.runner.protocol_hash", lambda reference: "another")
    with pytest.raises(StudyMismatchError, match="the claim's experiment has changed since"):
        list(verify(["toy"], tmp_path))


KILLED = """
import sys
from tests.claims.test_runner import Recorder
from trimtab.claims import CLAIMS
CLAIMS["toy"] = "tests.claims.toy:CONFIRMED"
from trimtab.claims.runner import verify

class Telling(Recorder):
    def finished(self, point, outcome):
        print(point.key, flush=True)

if __name__ == "__main__":
    list(verify(["toy"], sys.argv[1], jobs=2, watch=Telling()))
"""


def test_killed_and_started_again_it_goes_on(confirmed, register, tmp_path):
    _, whole = confirmed
    script = tmp_path / "script.py"
    script.write_text(KILLED)
    environment = {**os.environ, "TOY_SECONDS": "0.3", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, script, tmp_path / "out"]
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=subprocess.PIPE, text=True)
    told = [process.stdout.readline() for _ in range(3)]
    assert all(told)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = read_store(tmp_path / "out" / "toy").outcomes
    assert 3 <= len(kept) < whole.trials
    assert not (tmp_path / "out" / "toy.json").exists()
    register("CONFIRMED")
    recorder = Recorder()
    result = run(tmp_path / "out", watch=recorder)
    assert len(recorder.finished_keys) == len(set(recorder.finished_keys)) == whole.trials - len(kept)
    assert set(recorder.finished_keys).isdisjoint(kept)
    assert (result.findings, result.arms, result.verdict) == (whole.findings, whole.arms, whole.verdict)


def test_a_comparison_may_use_what_a_probe_measured(confirmed):
    _, result = confirmed
    comparison = Statement("steps beyond nine", "steps seen", ("tuned",), lambda steps: steps - 9, 0.5, "steps")
    (finding,) = judge([comparison], result.arms)
    assert (finding.mean, finding.seeds) == (1.0, 6)
