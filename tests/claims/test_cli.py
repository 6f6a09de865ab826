"""`trimtab verify` and what `trimtab show` says of its results."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from trimtab.claims import CLAIMS, result
from trimtab.claims.runner import verify
from trimtab.claims.work import ClaimWork
from trimtab.cli import app, verifying
from trimtab.lab.problem import Workplace


def run(*arguments):
    done = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "120"})
    return done.exit_code, " ".join(done.output.split())


def test_verify_says_what_is_claimed_and_what_came_of_it(register, tmp_path):
    register("REFUTED")
    code, text = run("verify", "toy", "--out", tmp_path, "--jobs", "1")
    assert code == 0, text
    assert "toy: A tuned rate has a lower test loss" in text
    assert "toy refuted: a tuned rate is better refuted means: the data exclude an effect of the claimed size" in text
    assert "AdamW beats a slow rate on a line." in text
    assert "≥ 0.01" in text
    found = json.loads((tmp_path / "toy.json").read_text())
    assert f"+{found['findings'][0]['mean']:.1f}" in text
    assert f"{found['trials']} trials" in text


def test_verify_prepares_what_its_workers_import(register, monkeypatch):
    register("CONFIRMED")
    prepared = []
    monkeypatch.setattr(verifying, "prepare_workers", prepared.append)
    assert run("verify", "unknown")[0] == 2
    (modules,) = prepared
    assert set(ClaimWork("tests.claims.toy:CONFIRMED", Workplace(Path())).modules) <= set(modules)


def test_verify_all_goes_on_where_it_was(register, tmp_path):
    register("CONFIRMED")
    assert run("verify", "--all", "--out", tmp_path)[0] == 0
    code, text = run("verify", "--all", "--out", tmp_path)
    assert code == 0
    assert "toy confirmed" in text
    assert "left" not in text  # nothing was run, so that there was no progress to show


def test_a_claim_that_could_not_be_judged_is_exit_code_one(register, tmp_path):
    register("FAILING")
    code, text = run("verify", "toy", "--out", tmp_path, "--jobs", "1")
    assert code == 1
    assert "toy could not be judged: slow: a final run failed: RuntimeError: deliberate" in text


def test_trials_of_another_protocol_are_exit_code_two(register, tmp_path, monkeypatch):
    register("INCONCLUSIVE")
    assert run("verify", "toy", "--out", tmp_path, "--jobs", "1")[0] == 0
    monkeypatch.setattr("trimtab.claims.runner.protocol_hash", lambda _: "another")
    code, text = run("verify", "toy", "--out", tmp_path, "--jobs", "1")
    assert code == 2
    assert "holds the results of another study: the claim's experiment has changed since." in text


LISTENING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trimtab.claims import CLAIMS
CLAIMS["toy"] = "tests.claims.toy:CONFIRMED"
from trimtab.cli import main
main()
"""


def test_control_c_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-c", LISTENING, "verify", "toy", "--out", str(tmp_path)]
    environment = {**os.environ, "TOY_SECONDS": "0.5", "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, env=environment
    )
    begun = ""
    for line in process.stdout:
        begun += line
        if re.match(r"[1-9]\d*/\d+ trials", line):
            break
    os.killpg(process.pid, signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    output = begun + rest
    assert process.returncode == 130, output
    assert "go on with" in output
    assert f"trimtab verify toy --out {tmp_path}\n" in output  # in one line, to be pasted
    assert "Traceback" not in output


def test_show_has_the_verdict_that_ships(tmp_path, monkeypatch):
    monkeypatch.setattr(result, "RESULTS", tmp_path / "results")
    assert "not run yet; `trimtab verify lion` does" in run("show", "lion")[1]
    assert "verdict" not in run("show", "adamw")[1]
    monkeypatch.setattr("trimtab.claims.loading.CLAIMS", {"toy": "tests.claims.toy:CONFIRMED"})
    (found,) = verify(["toy"], tmp_path / "out", jobs=1)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "toy.json").write_text(found.to_json())
    for name in ("lion", "toy"):
        monkeypatch.setitem(CLAIMS, name, "tests.claims.toy:CONFIRMED")
    shown = run("show", "lion")[1]
    assert "confirmed: a tuned rate is better. AdamW beats a slow rate on a line." in shown
    assert "Claimed: A tuned rate has a lower test loss than 0.001 by 0.01." in shown
