"""Tables: how far a tuned AdamW comes beside scikit-learn's models on the same rows, and what a comparison costs.

AdamW has 16 quasi-random settings in its own ranges, as in a comparison with one tuning seed; the linear model
(ridge or logistic) 11 penalties; scikit-learn's perceptron 16 pairs of rate and penalty, of which half stop early. The
best by validation loss is run with fresh seeds. Losses of numbers are in variances of the training rows' target.

With ``--cost`` it measures the processor seconds of a run of each of the usual candidates instead, and from them how
long a comparison with 16 trials and ten seeds takes on two cores of this machine, tuning seeds included.

    python benchmarks/table_models.py [NAME ...] [--seeds 3] [--cost]
"""

import argparse
import csv
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np

TRIALS = 16
MOST_ROUNDS = 200


def houses(rows, seed=0):
    """Prices of houses, by numbers and categories with gaps; noise of 12 %, and a district matters."""
    generator = np.random.default_rng(seed)
    area = generator.lognormal(4.5, 0.4, rows).round(1)
    age = generator.integers(0, 90, rows).astype(float)
    district = generator.integers(0, 12, rows)
    state = generator.choice(3, rows, p=[0.2, 0.5, 0.3])
    worth = generator.normal(0, 0.4, 12)[district] + np.array([-0.3, 0, 0.2])[state]
    price = np.exp(11 + 0.8 * np.log(area / 90) - 0.004 * age + worth + generator.normal(0, 0.12, rows))
    age[generator.random(rows) < 0.15] = np.nan
    states = np.array(["poor", "fair", "good"])[state]
    states[generator.random(rows) < 0.1] = ""
    return {
        "area": area.tolist(),
        "age": age.tolist(),
        "district": [f"district {each}" for each in district],
        "state": states.tolist(),
        "price": price.round().tolist(),
    }


def write(path, columns):
    """Writes columns as CSV, NaN as nothing."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in zip(*columns.values(), strict=True):
            writer.writerow(["" if value != value else value for value in row])
    return path


def of_scikit_learn(load):
    """Returns a data set that comes with scikit-learn as columns; the last is the target."""
    data = load()
    names = dict(zip(map(str, data.feature_names), data.data.T.tolist(), strict=True))
    targets = data.target.tolist() if not hasattr(data, "target_names") else data.target_names[data.target].tolist()
    return {**names, "target": targets}


def tables():
    """Name to columns, of which the last is the target."""
    from sklearn import datasets

    return {
        "diabetes": lambda: of_scikit_learn(lambda: datasets.load_diabetes(scaled=False)),
        "breast-cancer": lambda: of_scikit_learn(datasets.load_breast_cancer),
        "wine": lambda: of_scikit_learn(datasets.load_wine),
        **{f"houses-{rows}": lambda rows=rows: houses(rows) for rows in (500, 5000, 50000)},
    }


def arrays(task):
    """What scikit-learn's models get of the same rows: names as columns of zeros and ones."""
    from sklearn.preprocessing import OneHotEncoder

    train, *others = (data.tensors for data in (task.train, task.validation, task.test))
    if not train[1].shape[1]:
        return [(x.numpy(), y.numpy()) for x, _, y in (train, *others)]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[1])
    return [(np.hstack([x, encoder.transform(names)]), y.numpy()) for x, names, y in (train, *others)]


def linear_models(task):
    """Ridge or logistic regressions, a penalty each; they have no use for a seed."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.understood.target.classes:
        return [lambda _, c=c: LogisticRegression(C=c, max_iter=3000) for c in np.logspace(-3, 2, 11)]
    return [lambda _, alpha=alpha: Ridge(alpha) for alpha in np.logspace(-2, 3, 11)]


def perceptrons(task):
    """Perceptrons of scikit-learn's, of its usual size, whose rate and penalty and end differ."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = MLPClassifier if task.understood.target.classes else MLPRegressor
    return [
        lambda seed, rate=rate, alpha=alpha, early=early: kind(
            learning_rate_init=rate, alpha=alpha, early_stopping=early, max_iter=MOST_ROUNDS, random_state=seed
        )
        for rate in (3e-4, 1e-3, 3e-3, 1e-2)
        for alpha in (1e-4, 1e-1)
        for early in (False, True)
    ]


def scored(task, model, data):
    """A model's loss and what is quoted, as the task has them."""
    import torch

    x, y = data
    if task.understood.target.classes:
        outputs = torch.from_numpy(np.log(np.maximum(model.predict_proba(x), 1e-12)))
        loss = torch.nn.functional.cross_entropy(outputs, torch.from_numpy(y))
    else:
        outputs = torch.from_numpy(model.predict(x).reshape(-1, 1))
        loss = torch.nn.functional.mse_loss(outputs[:, 0], torch.from_numpy(y).double())
    return float(loss), task.score(outputs, (None, None, torch.from_numpy(y)))


def of_models(task, makes, seeds):
    """Validation and test scores of the best by validation loss, over seeds."""
    train, validation, test = arrays(task)
    best = min(makes, key=lambda make: scored(task, make(0).fit(*train), validation)[0])
    fitted = [best(1000 + seed).fit(*train) for seed in range(seeds)]
    return [np.mean([scored(task, model, data) for model in fitted], axis=0) for data in (validation, test)]


def trained(task, candidate, settings, seed):
    """A complete run of the task."""
    from trimtab import Session

    run = Session(task, candidate.build(settings), seed=seed)
    while not run.meter.exhausted:
        run.step()
    return run


def of_adamw(task, seeds):
    """The same of a tuned AdamW."""
    from trimtab.catalog.candidates import parse_candidates
    from trimtab.study.tunable import quasi_random_settings

    (adamw,) = parse_candidates("adamw")
    settings = quasi_random_settings(adamw.tunables, TRIALS, 0)
    best = min(settings, key=lambda each: trained(task, adamw, each, 0).evaluate().loss)
    runs = [trained(task, adamw, best, 1000 + seed) for seed in range(seeds)]
    found = [[run.evaluate(split) for run in runs] for split in ("validation", "test")]
    return [np.mean([(each.loss, each.metric) for each in split], axis=0) for split in found]


def quality(task, seeds):
    """Prints a row for each model."""
    rows = {
        "linear": of_models(task, linear_models(task), seeds),
        "scikit-learn's perceptron": of_models(task, perceptrons(task), seeds),
        "trimtab, AdamW": of_adamw(task, seeds),
    }
    for name, (validation, test) in rows.items():
        print(
            f"  {name:26} validation loss {validation[0]:.4f}, {task.metric.name} {validation[1]:.4f}; "
            f"test loss {test[0]:.4f}, {task.metric.name} {test[1]:.4f}",
            flush=True,
        )


def cost(task):
    """Prints what a run takes, and all of a comparison on two cores, without the start of its workers."""
    from trimtab.catalog.candidates import parse_candidates
    from trimtab.catalog.slots import SLOTS
    from trimtab.lab.trial import run_trial
    from trimtab.study.again import runs_again
    from trimtab.study.tunable import quasi_random_settings

    seconds = {}
    for candidate in parse_candidates(SLOTS["optimizer"].default):
        settings = quasi_random_settings(candidate.tunables, 1, 0)[0]
        for _ in range(2):  # the first run compiles
            begin = time.process_time()
            run_trial(partial(_session, task, candidate, settings), evaluations=20, test=True, report=lambda *_: False)
            seconds[candidate.label] = time.process_time() - begin
    each = ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
    trials = TRIALS + runs_again(TRIALS, task.tuning_seeds) + task.seeds
    print(f"  processor seconds a run: {each}")
    print(f"  {trials * len(seconds)} trials on two cores: {trials * sum(seconds.values()) / 2:.0f} s", flush=True)


def _session(task, candidate, settings):
    from trimtab import Session

    return Session(task, candidate.build(settings), seed=0)


def main():
    """Prints what the arguments ask for."""
    known = ["diabetes", "breast-cancer", "wine", "houses-500", "houses-5000", "houses-50000"]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cost", action="store_true")
    options = parser.parse_args()
    import torch

    from trimtab import TableTask

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # scikit-learn's, of perceptrons that have not converged
    with tempfile.TemporaryDirectory() as directory:
        for name in options.names or (known[3:] if options.cost else known[:5]):
            columns = tables()[name]()
            begin = time.process_time()
            task = TableTask(write(Path(directory) / f"{name}.csv", columns), list(columns)[-1])
            print(f"{name}: {len(task.understood.target.rows):,} rows, read in {time.process_time() - begin:.1f} s")
            cost(task) if options.cost else quality(task, options.seeds)


if __name__ == "__main__":
    main()
