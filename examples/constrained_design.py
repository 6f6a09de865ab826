"""A pressure vessel that is to be cheap and has to keep three constraints: ``Trial.set_constraint``, no more than that.

    python examples/constrained_design.py

A cylinder with two half balls at its ends (Sandgren, 1990): two thicknesses come in sixteenths of an inch, the radius
and the length are any numbers. Most of what may be tried is not allowed. The cheapest that is known costs 6059.71.
"""

import math

import optuna

from trimtab.search import BOSampler

TRIALS, KNOWN = 35, 6059.71


def cost(trial: optuna.Trial) -> float:
    """Returns what a vessel costs, and sets the constraints, each of which is kept where it is at most 0."""
    shell = trial.suggest_float("shell", 0.0625, 6.1875, step=0.0625)  # inches
    head = trial.suggest_float("head", 0.0625, 6.1875, step=0.0625)
    radius = trial.suggest_float("radius", 10, 200)
    length = trial.suggest_float("length", 10, 200)
    volume = math.pi * radius**2 * length + 4 / 3 * math.pi * radius**3
    trial.set_constraint("shell", 0.0193 * radius - shell)  # thick enough for the pressure
    trial.set_constraint("head", 0.00954 * radius - head)
    trial.set_constraint("volume", 1_296_000 / volume - 1)  # 750 cubic feet
    materials = 0.6224 * shell * radius * length + 1.7781 * head * radius**2
    return materials + 3.1661 * shell**2 * length + 19.84 * shell**2 * radius


def is_feasible(trial: optuna.trial.FrozenTrial) -> bool:
    """Returns whether a trial keeps all its constraints."""
    return all(value <= 0 for value in trial.constraints.values())


def main() -> None:
    """Searches, and says what was found."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=BOSampler(seed=0))
    study.optimize(cost, n_trials=TRIALS)
    feasible = [trial for trial in study.trials if is_feasible(trial)]
    print(f"{len(feasible)} of {len(study.trials)} trials keep all constraints")
    best = study.best_trial  # of those that do
    print(f"the cheapest of them is trial {best.number}: {best.value:.2f} with {best.params}")
    print(f"the cheapest that is known costs {KNOWN / best.value:.2%} of that")


if __name__ == "__main__":
    main()
