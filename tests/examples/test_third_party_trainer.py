"""Somebody else's script, unchanged, driven by a comparison."""

import os
import sys
from pathlib import Path

from tests.compare.making import command_comparison
from tests.examples import served

SCRIPT = Path(__file__).parents[2] / "examples" / "third_party_trainer.py"


def test_transformers_trainer_is_compared_by_what_it_prints(tmp_path):
    assert "trimtab" not in SCRIPT.read_text().partition('"""\n\n')[2]
    with served.serving(tmp_path, {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}) as place:
        program = f"{sys.executable} {served.__file__} {place} {SCRIPT}"
        arguments = "--optim {optimizer} --learning_rate {lr} --seed {seed} --output_dir {out}"
        result = command_comparison(
            f"{program} {arguments}",
            "adamw_torch,sgd",
            tune=["lr=5e-3", "sgd.lr=5e-5"],  # the latter is far too small for it
            metric="eval_loss",
            out=tmp_path / "out",
            trials=1,
            seeds=1,
            jobs=min(2, len(os.sched_getaffinity(0))),
        ).run()
    assert {trial.status for trial in result.trials} == {"complete"}, [trial.error for trial in result.trials]
    assert all([point.cost for point in trial.curve] == [1, 2, 3, 4] for trial in result.trials)
    assert [candidate.label for candidate in result.candidates] == ["adamw_torch", "sgd"]
    assert result.candidates[0].loss.mean < 0.9 < result.candidates[1].loss.mean < 1.3
