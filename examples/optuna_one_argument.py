"""A usual Optuna script in which one argument is changed.

    python examples/optuna_one_argument.py

It tunes scikit-learn's support vector classifier on a fifth of the digits: the kernel, its width or its degree, which
only one of the kernels has, and the penalty. Everything else of Optuna's stays: the objective, conditions in it,
callbacks, storages, dashboards, ``study.best_trial``.
"""

import optuna
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.svm import SVC

from trimtab.search import BOSampler

TRIALS = 20


def objective(trial: optuna.Trial) -> float:
    """Returns the error in cross-validation."""
    images, labels = load_digits(return_X_y=True)
    kernel = trial.suggest_categorical("kernel", ["rbf", "poly"])
    settings = {"C": trial.suggest_float("C", 1e-3, 1e3, log=True)}
    if kernel == "rbf":
        settings["gamma"] = trial.suggest_float("gamma", 1e-5, 1e1, log=True)
    else:
        settings["degree"] = trial.suggest_int("degree", 1, 5)
    accuracies = cross_val_score(SVC(kernel=kernel, **settings), images[:360] / 16, labels[:360], cv=3)
    return 1 - accuracies.mean()


def main() -> None:
    """Searches, and says what was found."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=BOSampler(seed=0))  # was: sampler=TPESampler(seed=0)
    study.optimize(objective, n_trials=TRIALS)
    print(f"best of {len(study.trials)} trials: error {study.best_value:.3f} with {study.best_params}")
    found = study.sampler.recommend(study)
    print(f"recommended: trial {found.trial}, whose error is {found.mean:.3f} in expectation")


if __name__ == "__main__":
    main()
